"""Builds the program that prints what Core decides (main.swift); the judges here run it."""
import contextlib, pathlib, shutil, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES = [
    "Core/Support/File.swift", "Core/Support/FieldReader.swift", "Core/Support/Instant.swift",
    "Core/Support/LocalTime.swift", "Core/Support/Lock.swift", "Core/Support/Scatter.swift",
    "Core/Support/Zone.swift", "Core/Calls/RegionZones.swift", "Core/Calls/CallingWindow.swift",
    "Core/Calls/EndedReason.swift", "Core/Calls/EndedReasonTable.swift", "Tests/Referee/main.swift",
]


@contextlib.contextmanager
def built():
    """The path of the compiled program, for as long as the context lasts."""
    if not shutil.which("swiftc"):
        sys.exit("The Swift toolchain is missing: there is no swiftc.")
    with tempfile.TemporaryDirectory(prefix="referee.") as directory:
        program = pathlib.Path(directory) / "referee"
        subprocess.run(["swiftc", "-O", "-wmo", "-swift-version", "6", "-o", program, *SOURCES],
                       cwd=ROOT, check=True)
        yield program
