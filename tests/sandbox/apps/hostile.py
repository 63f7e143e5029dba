"""An app that attacks. Each attack says what it got; the tests look from outside as well.

`attack_<name>` is called for `/attack/<name>`, with `settings` from the query.
"""

import ctypes
import json
import os
import socket
import sys
import time

_libc = ctypes.CDLL(None, use_errno=True)


def attack(request, context):
    name = request["userPath"].strip("/")
    settings = {key: values[0] for key, values in request["queryParameters"].items()}
    try:
        got = globals()["attack_" + name](**settings)
    except (OSError, MemoryError, RuntimeError) as error:
        return _answer(None, f"{type(error).__name__}: {error}")
    return _answer(got, "")


def _answer(got, error):
    return {"statusCode": 200, "body": json.dumps({"got": got, "error": error})}


# ---- 1: other processes, the host's files


def attack_processes():
    return [
        int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()
    ]


def attack_read(path):
    with open(path, "rb") as file:
        return len(file.read(100))


def attack_list(path):
    return os.listdir(path)


def attack_signal(pid):
    os.kill(int(pid), 0)
    return True


def attack_connect_path(path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        return sock.recv(100).decode()


def attack_user():
    return os.stat("/proc/self").st_uid


# ---- 2: the network


def attack_connect(port):
    with socket.create_connection(("127.0.0.1", int(port)), 2) as sock:
        return sock.recv(100).decode()


def attack_datagram(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        return sock.sendto(b"out", ("127.0.0.1", int(port)))


def attack_abstract(name):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect("\0" + name)
        return sock.recv(100).decode()


# ---- 3: more than its share


def attack_fork(count):
    children = []
    try:
        for _ in range(int(count)):
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            children.append(child)
    except OSError:
        pass
    for child in children:
        os.kill(child, 9)
        os.waitpid(child, 0)
    return len(children)


def attack_threads(count):
    import threading

    done = threading.Event()
    made = []
    threading.stack_size(65536)
    try:
        for _ in range(int(count)):
            thread = threading.Thread(target=done.wait)
            thread.start()
            made.append(thread)
    except RuntimeError:
        pass
    done.set()
    for thread in made:
        thread.join()
    return len(made)


def attack_fill(megabytes):
    written = 0
    try:
        for number in range(int(megabytes)):
            with open(f"fill{number // 16}", "ab") as file:
                written += file.write(bytes(1 << 20))
    except OSError:
        pass
    for name in os.listdir("."):
        os.unlink(name)
    return written >> 20


def attack_files(count):
    made = 0
    try:
        for number in range(int(count)):
            with open(f"f{number}", "wb"):
                made += 1
    except OSError:
        pass
    for number in range(made):
        os.unlink(f"f{number}")
    return made


def attack_memory(megabytes, processes):
    """Every process takes its share and says so; then all end."""
    reading, writing = os.pipe()
    children = []
    for _ in range(int(processes)):
        child = os.fork()
        if child == 0:
            held = bytearray(os.urandom(1 << 20) * int(megabytes))
            os.write(writing, b"x")
            time.sleep(60)
            os._exit(len(held) & 1)
        children.append(child)
    took = 0
    for _ in children:
        took += len(os.read(reading, 1))
    for child in children:
        os.kill(child, 9)
        os.waitpid(child, 0)
    return took


def attack_flood(megabytes):
    for _ in range(int(megabytes) * 16):
        os.write(1, b"x" * 65535 + b"\n")
    return True


def attack_hang(name):
    """Leave children behind that no parent waits for, ignore what can be ignored, spin."""
    import signal

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for _ in range(3):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                _libc.prctl(15, name.encode(), 0, 0, 0)
                while True:
                    time.sleep(0.01)
            os._exit(0)
    _libc.prctl(15, name.encode(), 0, 0, 0)
    while True:
        pass


# ---- 4: what another installation left


def attack_leave(path, text):
    with open(path, "w") as file:
        file.write(text)
    return text


def attack_find(path):
    with open(path) as file:
        return file.read()


# ---- 5: the kernel


def _call(number, *arguments):
    result = _libc.syscall(number, *arguments)
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def attack_unshare():
    return _call(272, 0x10000000) == 0


def attack_clone():
    child = _call(56, 0x10000000 | 17, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return True


def attack_keyring():
    return _call(248, b"user", b"mine", b"x", 1, -2) > 0


def attack_io_uring():
    return _call(425, 4, ctypes.create_string_buffer(120)) >= 0


def attack_trace():
    # In a child: whoever is traced stops at its next signal.
    child = os.fork()
    if child == 0:
        os._exit(0 if _libc.syscall(101, 0, 0, 0, 0) == 0 else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def attack_personality():
    return _call(135, 0x0040000) >= 0


def attack_read_memory():
    class Vector(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

    source, target = ctypes.create_string_buffer(b"secret"), ctypes.create_string_buffer(6)
    local, remote = Vector(ctypes.addressof(target), 6), Vector(ctypes.addressof(source), 6)
    _call(310, os.getpid(), ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
    return target.raw == b"secret"


def attack_execute(path):
    child = os.fork()
    if child == 0:
        try:
            os.execv(path, [path])
        except OSError:
            os._exit(77)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def attack_write(path):
    with open(path, "w") as file:
        file.write("x")
    os.unlink(path)
    return True


def attack_modules():
    return sorted(sys.modules)
