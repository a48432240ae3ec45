"""The image of the containers that serve the others: one program, which waits for ever.

Such a container holds the network that a task's containers share, as ECS's own pause container
does, and it needs no image that would have to be pulled.
"""

import io
import platform
import struct
import tarfile

PAUSE = "/pause"
"""The program's path in the image."""

_BASE = 0x400000
_HEADERS_BYTES = 64 + 56
_X86_64, _AARCH64 = 62, 183
_CODE = {
    # pause(2), again and again.
    _X86_64: bytes.fromhex("b8220000000f05ebf7"),
    # ppoll(NULL, 0, NULL, NULL, 0), again and again: there is no pause(2).
    _AARCH64: struct.pack(
        "<8I",
        *(0xD2800000 | register for register in range(5)),  # mov x0..x4, #0
        0xD2800928,  # mov x8, #73
        0xD4000001,  # svc #0
        0x17FFFFF9,  # b to the first
    ),
}


def layer(architecture: str = "") -> bytes:
    """The image's only layer, as `POST /images/create?fromSrc=-` takes it.

    `architecture`: as Docker's `/info` has it; default: this machine's.
    """
    machine = architecture or platform.machine()
    program = _program(_AARCH64 if machine in ("aarch64", "arm64") else _X86_64)
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        entry = tarfile.TarInfo(PAUSE.lstrip("/"))
        entry.size, entry.mode = len(program), 0o755
        archive.addfile(entry, io.BytesIO(program))
    return made.getvalue()


def _program(machine: int) -> bytes:
    """A static ELF executable: https://refspecs.linuxfoundation.org/elf/elf.pdf."""
    code = _CODE[machine]
    size = _HEADERS_BYTES + len(code)
    identification = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        *(identification, 2, machine, 1, _BASE + _HEADERS_BYTES, 64, 0, 0, 64, 56, 1, 0, 0, 0),
    )
    readable_and_executable = 5
    segment = struct.pack(
        "<IIQQQQQQ", 1, readable_and_executable, 0, _BASE, _BASE, size, size, 0x10000
    )
    return header + segment + code
