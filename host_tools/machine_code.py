"""Machine code made in memory by LLVM for the processor at hand. Must never be given a program from outside."""

from __future__ import annotations

from typing import Any, NamedTuple


class Code(NamedTuple):
    """A compiled function: its address is good for as long as `engine`, LLVM's owner of it, lives."""

    address: int
    engine: Any


def compiled(program: str, function: str, without: str = "") -> Code:
    """`function` of a program in LLVM's text. without: features of the processor to leave unused ("-avx512f")."""
    # Imported here, not above: it takes 0.15 s, which a command that needs no such code need not wait for.
    from llvmlite import binding  # type: ignore[import-untyped]

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    features = ",".join(filter(None, (binding.get_host_cpu_features().flatten(), without)))
    target = binding.Target.from_default_triple()
    machine = target.create_target_machine(cpu=binding.get_host_cpu_name(), features=features, opt=3)
    engine = binding.create_mcjit_compiler(binding.parse_assembly(program), machine)
    engine.finalize_object()
    return Code(engine.get_function_address(function), engine)
