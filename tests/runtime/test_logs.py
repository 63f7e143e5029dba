"""What handlers print and log: by invocation and level, bounded, and fit to be shown."""

from __future__ import annotations

from runtime_world import Play, World

from sallyport.runtime.logs import DROPPED


def test_prints_logging_and_raw_output_have_a_level_and_an_invocation(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app("""
            import logging, os, subprocess, sys

            print("imported")
            log = logging.getLogger("people")

            def run(request):
                print("one")
                print("two\\nthree", end="")
                print(" end", file=sys.stderr)
                log.debug("hidden")
                log.info("informed %s", 1)
                log.warning("warned")
                log.critical("dead")
                try:
                    1 / 0
                except ZeroDivisionError:
                    log.exception("caught")
                subprocess.run(["echo", "from a child"])
                os.write(2, b"raw\\n")
                return {"statusCode": 200}
        """)
        await world.answer(target, id="call-1")
        await world.answer(target, id="call-2")
        first = [line for line in world.lines if line.invocation_id == "call-1"]
        got = {(line.level, line.text.partition("\n")[0]) for line in first}
        assert got == {
            ("INFO", "imported"),
            ("INFO", "one"),
            ("INFO", "two"),
            ("INFO", "three"),
            ("ERROR", " end"),
            ("INFO", "people: informed 1"),
            ("WARN", "people: warned"),
            ("FATAL", "people: dead"),
            ("ERROR", "people: caught"),
            ("INFO", "from a child"),
            ("INFO", "raw"),
        }
        assert {line.trace_id for line in first} == {"0" * 32}
        assert {line.installation_id for line in first} == {"installation-1"}
        second = [line.text for line in world.lines if line.invocation_id == "call-2"]
        assert len(second) == len(first) - 1
        assert "imported" not in second

    play(scenario)


def test_debug_lines_where_the_app_asks_for_them(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app("""
            import logging
            logging.getLogger().setLevel(logging.DEBUG)

            def run(request):
                logging.debug("shown")
                return {"statusCode": 200}
        """)
        await world.answer(target)
        assert [(line.level, line.text) for line in world.lines] == [("DEBUG", "root: shown")]

    play(scenario)


def test_a_flood_is_cut_at_a_hundred_lines_for_each_invocation(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app("""
            def run(request):
                for number in range(5000):
                    print("line", number)
                raise ValueError("told all the same")
        """)
        await world.failure(target, id="call-1")
        await world.failure(target, id="call-2")
        for call in ("call-1", "call-2"):
            texts = [line.text for line in world.lines if line.invocation_id == call]
            assert texts[:100] == [f"line {number}" for number in range(100)]
            assert texts[100] == DROPPED
            assert len(texts) == 102
            assert texts[101].endswith("ValueError: told all the same")

    play(scenario)


def test_a_flood_of_raw_output_is_cut_at_two_hundred_kilobytes(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app("""
            import os

            def run(request):
                for _ in range(1000):
                    os.write(1, b"x" * 9999 + b"\\n")
                return {"statusCode": 200}
        """)
        await world.answer(target)
        texts = world.texts()
        assert texts[-1] == DROPPED
        assert 190_000 < sum(map(len, texts)) <= 205_000

    play(scenario)


def test_lines_cannot_move_a_cursor_or_turn_the_text_around(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app(r"""
            import os

            def run(request):
                print("\x1b[2Jgone\r\x00\x9b\u202etxt\u2066")
                os.write(1, b"\xff\xfe\x07\n")
                print("lone \ud800", "x" * 100_000, end="")
                return {"statusCode": 200}
        """)
        await world.answer(target)
        texts = world.texts()
        assert "\\x1b[2Jgone\\x0d\\x00\\x9b\\u202etxt\\u2066" in texts
        assert "\\xff\\xfe\\x07" in texts
        assert any(text.startswith("lone \\ud800 xxx") for text in texts)
        assert max(map(len, texts)) <= 32 * 1024 + 16

    play(scenario)


def test_what_was_printed_before_a_time_out_is_there(play: Play) -> None:
    async def scenario(world: World) -> None:
        target = world.app("""
            def run(request):
                print("about to hang")
                while True:
                    pass
        """)
        await world.failure(target, timeout_ms=200)
        assert world.texts() == ["about to hang", "Timed out after 0.2 s"]

    play(scenario)
