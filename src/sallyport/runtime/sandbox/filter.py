"""The system calls that app code may make: a seccomp filter, written out.

What is not listed is refused: with "operation not permitted" where the call is older than the
list, with "no such system call" where it is newer, so that the C library falls back. This file
imports the standard library alone: the warden loads it by path.
"""

from __future__ import annotations

import platform
import struct
from typing import Final, NamedTuple

_ALLOWED: Final = {
    "x86_64": """
    read:0 write:1 open:2 close:3 stat:4 fstat:5 lstat:6 poll:7 lseek:8 mmap:9 mprotect:10
    munmap:11 brk:12 rt_sigaction:13 rt_sigprocmask:14 rt_sigreturn:15 pread64:17 pwrite64:18
    readv:19 writev:20 access:21 pipe:22 select:23 sched_yield:24 mremap:25 msync:26 mincore:27
    madvise:28 dup:32 dup2:33 pause:34 nanosleep:35 getitimer:36 alarm:37 setitimer:38 getpid:39
    sendfile:40 connect:42 accept:43 sendto:44 recvfrom:45 sendmsg:46 recvmsg:47 shutdown:48
    bind:49 listen:50 getsockname:51 getpeername:52 setsockopt:54 getsockopt:55 fork:57 vfork:58
    exit:60 wait4:61 kill:62 uname:63 fcntl:72 flock:73 fsync:74 fdatasync:75 truncate:76
    ftruncate:77 getdents:78 getcwd:79 chdir:80 fchdir:81 rename:82 mkdir:83 rmdir:84 creat:85
    link:86 unlink:87 symlink:88 readlink:89 chmod:90 fchmod:91 chown:92 fchown:93 lchown:94
    umask:95 gettimeofday:96 getrlimit:97 getrusage:98 sysinfo:99 times:100 getuid:102 getgid:104
    geteuid:107 getegid:108 setpgid:109 getppid:110 getpgrp:111 setsid:112 getgroups:115
    getresuid:118 getresgid:120 getpgid:121 getsid:124 capget:125 rt_sigpending:127
    rt_sigtimedwait:128 rt_sigsuspend:130 sigaltstack:131 utime:132 statfs:137 fstatfs:138
    getpriority:140 setpriority:141 sched_getparam:143 sched_getscheduler:145
    sched_get_priority_max:146 sched_get_priority_min:147 mlock:149 munlock:150 arch_prctl:158
    setrlimit:160 gettid:186 getxattr:191 lgetxattr:192 fgetxattr:193 listxattr:194 llistxattr:195
    flistxattr:196 tkill:200 time:201 futex:202 sched_setaffinity:203 sched_getaffinity:204
    epoll_create:213 getdents64:217 set_tid_address:218 restart_syscall:219 fadvise64:221
    timer_create:222 timer_settime:223 timer_gettime:224 timer_getoverrun:225 timer_delete:226
    clock_gettime:228 clock_getres:229 clock_nanosleep:230 exit_group:231 epoll_wait:232
    epoll_ctl:233 tgkill:234 utimes:235 waitid:247 inotify_init:253 inotify_add_watch:254
    inotify_rm_watch:255 openat:257 mkdirat:258 fchownat:260 futimesat:261 newfstatat:262
    unlinkat:263 renameat:264 linkat:265 symlinkat:266 readlinkat:267 fchmodat:268 faccessat:269
    pselect6:270 ppoll:271 set_robust_list:273 get_robust_list:274 utimensat:280 epoll_pwait:281
    signalfd:282 timerfd_create:283 eventfd:284 fallocate:285 timerfd_settime:286
    timerfd_gettime:287 accept4:288 signalfd4:289 eventfd2:290 epoll_create1:291 dup3:292
    pipe2:293 inotify_init1:294 preadv:295 pwritev:296 recvmmsg:299 prlimit64:302 sendmmsg:307
    getcpu:309 sched_getattr:315 renameat2:316 getrandom:318 memfd_create:319 membarrier:324
    copy_file_range:326 preadv2:327 pwritev2:328 pkey_mprotect:329 pkey_alloc:330 pkey_free:331
    statx:332 rseq:334 pidfd_send_signal:424 pidfd_open:434 close_range:436 openat2:437
    faccessat2:439 epoll_pwait2:441 futex_waitv:449
    """,
    "aarch64": """
    getxattr:8 lgetxattr:9 fgetxattr:10 listxattr:11 llistxattr:12 flistxattr:13 getcwd:17
    eventfd2:19 epoll_create1:20 epoll_ctl:21 epoll_pwait:22 dup:23 dup3:24 fcntl:25
    inotify_init1:26 inotify_add_watch:27 inotify_rm_watch:28 flock:32 mkdirat:34 unlinkat:35
    symlinkat:36 linkat:37 renameat:38 statfs:43 fstatfs:44 truncate:45 ftruncate:46 fallocate:47
    faccessat:48 chdir:49 fchdir:50 fchmod:52 fchmodat:53 fchownat:54 fchown:55 openat:56 close:57
    pipe2:59 getdents64:61 lseek:62 read:63 write:64 readv:65 writev:66 pread64:67 pwrite64:68
    preadv:69 pwritev:70 sendfile:71 pselect6:72 ppoll:73 signalfd4:74 readlinkat:78 newfstatat:79
    fstat:80 fsync:82 fdatasync:83 timerfd_create:85 timerfd_settime:86 timerfd_gettime:87
    utimensat:88 capget:90 exit:93 exit_group:94 waitid:95 set_tid_address:96 futex:98
    set_robust_list:99 get_robust_list:100 nanosleep:101 getitimer:102 setitimer:103
    timer_create:107 timer_gettime:108 timer_getoverrun:109 timer_settime:110 timer_delete:111
    clock_gettime:113 clock_getres:114 clock_nanosleep:115 sched_getscheduler:120
    sched_getparam:121 sched_setaffinity:122 sched_getaffinity:123 sched_yield:124
    sched_get_priority_max:125 sched_get_priority_min:126 restart_syscall:128 kill:129 tkill:130
    tgkill:131 sigaltstack:132 rt_sigsuspend:133 rt_sigaction:134 rt_sigprocmask:135
    rt_sigpending:136 rt_sigtimedwait:137 rt_sigreturn:139 setpriority:140 getpriority:141
    getresuid:148 getresgid:150 times:153 setpgid:154 getpgid:155 getsid:156 setsid:157
    getgroups:158 uname:160 getrlimit:163 setrlimit:164 getrusage:165 umask:166 getcpu:168
    gettimeofday:169 getpid:172 getppid:173 getuid:174 geteuid:175 getgid:176 getegid:177
    gettid:178 sysinfo:179 bind:200 listen:201 accept:202 connect:203 getsockname:204
    getpeername:205 sendto:206 recvfrom:207 setsockopt:208 getsockopt:209 shutdown:210 sendmsg:211
    recvmsg:212 brk:214 munmap:215 mremap:216 mmap:222 fadvise64:223 mprotect:226 msync:227
    mlock:228 munlock:229 mincore:232 madvise:233 accept4:242 recvmmsg:243 wait4:260 prlimit64:261
    sendmmsg:269 sched_getattr:275 renameat2:276 getrandom:278 memfd_create:279 membarrier:283
    copy_file_range:285 preadv2:286 pwritev2:287 pkey_mprotect:288 pkey_alloc:289 pkey_free:290
    statx:291 rseq:293 pidfd_send_signal:424 pidfd_open:434 close_range:436 openat2:437
    faccessat2:439 epoll_pwait2:441 futex_waitv:449
    """,
}


class _Checked(NamedTuple):
    """Calls that are allowed for some arguments only."""

    clone: int
    socket: int
    socketpair: int
    ioctl: int
    prctl: int
    execve: int


_CHECKED: Final = {
    "x86_64": _Checked(56, 41, 53, 16, 157, 59),
    "aarch64": _Checked(220, 198, 199, 29, 167, 221),
}
_AUDIT_ARCH: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# clone3 and whatever came after it: its flags lie in memory, where a filter cannot look.
_NEWER: Final = 435
_X32: Final = 0x40000000
_NEW_NAMESPACES: Final = 0x7E020000
_AF_UNIX: Final = 1
_TERMINAL_INPUT: Final = (0x5412, 0x541C)
# Names, timers and parents of one's own; never PR_SET_DUMPABLE, PR_SET_MM or another filter.
_PRCTL: Final = (1, 2, 3, 15, 16, 23, 29, 30, 36, 37, 39, 41, 42, 0x53564D41)

_EPERM: Final = 1
_EACCES: Final = 13
_ENOSYS: Final = 38
_ALLOW: Final = 0x7FFF0000
_KILL: Final = 0x80000000
_ERRNO: Final = 0x00050000

_LOAD: Final = 0x20
_EQUAL: Final = 0x15
_AT_LEAST: Final = 0x35
_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06
_NUMBER_AT: Final = 0
_ARCH_AT: Final = 4
_ARGUMENTS_AT: Final = 16

Instruction = tuple[int, int, int, int]


def supported() -> bool:
    """Whether there is a list for this machine's processor."""
    return platform.machine() in _ALLOWED


def program(*, may_execute: bool) -> bytes:
    """The filter for this machine, as `struct sock_filter[]`. Raises `KeyError` where none is.

    `may_execute`: whether another program may be started at all.
    """
    machine = platform.machine()
    calls = _CHECKED[machine]
    code: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH_AT),
        (_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
    ]
    if machine == "x86_64":
        code += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _KILL)]
    code += _unless_bits(calls.clone, _NEW_NAMESPACES)
    code += _only(calls.socket, 0, (_AF_UNIX,), _EACCES)
    code += _only(calls.socketpair, 0, (_AF_UNIX,), _EACCES)
    code += _unless(calls.ioctl, 1, _TERMINAL_INPUT)
    code += _only(calls.prctl, 0, _PRCTL, _EPERM)
    numbers = [int(each.partition(":")[2]) for each in _ALLOWED[machine].split()]
    if may_execute:
        numbers.append(calls.execve)
    for first, last in _ranges(numbers):
        code += [(_AT_LEAST, 0, 2, first), (_AT_LEAST, 1, 0, last + 1), (_RETURN, 0, 0, _ALLOW)]
    code += [
        (_AT_LEAST, 0, 1, _NEWER),
        (_RETURN, 0, 0, _ERRNO | _ENOSYS),
        (_RETURN, 0, 0, _ERRNO | _EPERM),
    ]
    return b"".join(struct.pack("=HBBI", *each) for each in code)


def _only(call: int, argument: int, values: tuple[int, ...], error: int) -> list[Instruction]:
    """Allow the call where the argument is one of `values`, else fail with `error`."""
    body: list[Instruction] = [(_LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument)]
    for value in values:
        body += [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ALLOW)]
    body.append((_RETURN, 0, 0, _ERRNO | error))
    return [(_EQUAL, 0, len(body), call), *body]


def _unless(call: int, argument: int, values: tuple[int, ...]) -> list[Instruction]:
    """Refuse the call where the argument is one of `values`, else allow it."""
    body: list[Instruction] = [(_LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument)]
    for value in values:
        body += [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, _ERRNO | _EPERM)]
    body.append((_RETURN, 0, 0, _ALLOW))
    return [(_EQUAL, 0, len(body), call), *body]


def _unless_bits(call: int, bits: int) -> list[Instruction]:
    """Refuse the call where its first argument has one of these bits, else allow it."""
    body: list[Instruction] = [
        (_LOAD, 0, 0, _ARGUMENTS_AT),
        (_ANY_BIT, 0, 1, bits),
        (_RETURN, 0, 0, _ERRNO | _EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return [(_EQUAL, 0, len(body), call), *body]


def _ranges(numbers: list[int]) -> list[tuple[int, int]]:
    """The numbers as runs without a gap, in order."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] + 1 == number:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
