"""The Python client from PyPI, in a virtual environment of its own."""

import sys
from pathlib import Path

from .shell import run

REQUIREMENT = "vici==6.0.3"
VENV = Path(__file__).resolve().parents[1] / ".cache" / "venv"


def python():
    """An interpreter that can import vici; makes the environment when it is not there."""
    interpreter = VENV / "bin" / "python"
    installed = interpreter.exists() and run([interpreter, "-c", "import vici"], check=False).returncode == 0
    if not installed:
        run([sys.executable, "-m", "venv", "--clear", VENV], timeout=120)
        run([interpreter, "-m", "pip", "install", "-q", REQUIREMENT], timeout=300)
    return interpreter
