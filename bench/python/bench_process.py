"""Process: start and join a child that does nothing. Milliseconds."""

import multiprocessing

import timing


def nothing():
    pass


def main():
    case, _warm_ms, measure_ms = timing.arguments()
    method, pace = case.split("-", 1)
    context = multiprocessing.get_context(method)

    def start_join():
        child = context.Process(target=nothing)
        child.start()
        child.join()
        if child.exitcode != 0:
            raise SystemExit(f"the child ended with {child.exitcode}")

    pause_ms = 80 if pace == "paced" else 0
    timing.report(timing.seconds_each(start_join, pause_ms, measure_ms) * 1e3)


if __name__ == "__main__":
    main()
