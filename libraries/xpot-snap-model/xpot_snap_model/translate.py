"""From options to the plain numbers that LAMMPS is told."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

from ase.data import atomic_numbers

from xpot_core.api import InputError, PerPair, pair_name, resolve
from xpot_snap_model.options import SnapModelOptions
from xpot_snap_model.settings import DescriptorSettings, Reference


def descriptor_settings(
    options: SnapModelOptions, elements: Sequence[str], *, constant: bool = True
) -> DescriptorSettings:
    """Settings of ``compute snap`` for the elements of a study, with or without a constant energy for each."""

    def each(value: float | dict[str, float], name: str) -> tuple[float, ...]:
        try:
            return tuple(float(resolve(value, e)) for e in elements)
        except KeyError as error:
            raise InputError(f"no value for element {error.args[0]}", key=name) from None

    sinner = each(options.sinner, "sinner") if options.sinner is not None else None
    return DescriptorSettings(
        elements=tuple(elements),
        twojmax=tuple(int(v) for v in each(options.twojmax, "twojmax")),  # type: ignore[arg-type]
        rcutfac=float(options.rcutfac),
        rfac0=float(options.rfac0),
        rmin0=float(options.rmin0),
        wj=each(options.wj, "wj"),
        radelem=each(options.radelem, "radelem"),
        chem=options.chem,
        bnorm=options.bnorm,
        wselfall=options.wselfall,
        bzero=options.bzero,
        quadratic=options.quadratic,
        switch=options.switch,
        sinner=sinner,
        dinner=each(options.dinner, "dinner") if sinner is not None else None,
        constant=constant,
        reference=reference_potential(options, elements),
    )


def reference_potential(options: SnapModelOptions, elements: Sequence[str]) -> Reference:
    """The subtracted potential as LAMMPS commands."""
    if options.reference == "none":
        return Reference()
    if options.reference == "zbl":
        return _zbl(options, elements)
    words = (options.pair_style or "").split()
    lines = tuple(options.pair_coeff or ())
    if words[0].startswith("hybrid"):
        if words[0] != "hybrid/overlay":
            raise InputError(
                "the reference is added to SNAP, so its pairs must overlap it",
                key="pair_style",
                value=options.pair_style,
                remedy="write hybrid/overlay",
            )
        return _without_zero(" ".join(words[1:]), lines)
    if words[0] == "zero":
        return Reference()
    named = tuple(" ".join([*line.split()[:2], words[0], *line.split()[2:]]) for line in lines)
    return Reference((" ".join(words),), named)


def _zbl(options: SnapModelOptions, elements: Sequence[str]) -> Reference:
    """ZBL between all elements; LAMMPS' style has one pair of radii, so others are styles of their own."""

    def radius(value: PerPair[float], pair: str, key: str) -> float:
        try:
            return float(resolve(value, pair))
        except KeyError:
            raise InputError(
                f"gives no value for pair {pair}", key=key, value=value, remedy="name every pair of elements"
            ) from None

    pairs = list(combinations_with_replacement(range(len(elements)), 2))
    styles = []
    for i, j in pairs:
        name = pair_name(elements[i], elements[j])
        inner = radius(options.zbl_inner, name, "zbl_inner")
        outer = radius(options.zbl_outer, name, "zbl_outer")
        styles.append(f"zbl {inner!r} {outer!r}")
    different = list(dict.fromkeys(styles))
    lines = []
    for (i, j), style in zip(pairs, styles, strict=True):
        # LAMMPS wants a number exactly where a style is there more than once
        number = f" {different.index(style) + 1}" if len(different) > 1 else ""
        lines.append(
            f"{i + 1} {j + 1} zbl{number} {atomic_numbers[elements[i]]} {atomic_numbers[elements[j]]}"
        )
    return Reference(tuple(different), tuple(lines))


def _without_zero(styles: str, lines: Sequence[str]) -> Reference:
    """Pair style zero only sets a cutoff; ours does that already."""
    words = styles.split()
    if "zero" in words:
        at = words.index("zero")
        del words[at : at + 2]
    kept = tuple(line for line in lines if line.split()[2:3] != ["zero"])
    return Reference((" ".join(words),) if words else (), kept)
