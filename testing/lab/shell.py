"""Running commands, with errors that show what was said."""

import subprocess


class CommandFailed(Exception):
    """A command ended with another status than 0; the message holds its output."""

    def __init__(self, argv, status, output):
        super().__init__(f"{' '.join(map(str, argv))}: exit status {status}\n{output.strip()}")
        self.status = status
        self.output = output


def run(argv, *, check=True, timeout=60, stdin=None, env=None):
    """Runs a command to its end and returns the CompletedProcess, output as text."""
    argv = [str(part) for part in argv]
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout,
                              env=env, errors="replace",
                              **({} if stdin is not None else {"stdin": subprocess.DEVNULL}))
    except subprocess.TimeoutExpired as late:
        said = (late.stdout or b"") + (late.stderr or b"")
        raise CommandFailed(argv, f"none within {timeout} s", said.decode(errors="replace")) from None
    if check and done.returncode != 0:
        raise CommandFailed(argv, done.returncode, done.stdout + done.stderr)
    return done
