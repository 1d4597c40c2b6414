"""What LAMMPS is told about the descriptors: plain numbers, fixed order of elements, hashable."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Reference:
    """A potential that is subtracted from the targets and added again in LAMMPS.

    Attributes
    ----------
    styles
        Pair styles with their arguments, e.g. ``("zbl 4.0 4.8",)``.
    coefficients
        ``pair_coeff`` arguments with the style's name behind the two types, e.g.
        ``("1 1 zbl 14 14",)``.
    """

    styles: tuple[str, ...] = ()
    coefficients: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.styles)

    def commands(self, partner: str, partner_coefficients: str) -> list[str]:
        """LAMMPS commands for this reference together with one more pair style.

        Parameters
        ----------
        partner
            Pair style with arguments, e.g. ``zero 4.0`` or ``snap``.
        partner_coefficients
            What follows ``pair_coeff * *`` for it.
        """
        if not self.styles:
            return [f"pair_style {partner}", f"pair_coeff * * {partner_coefficients}".rstrip()]
        name = partner.split()[0]
        return [
            f"pair_style hybrid/overlay {partner} {' '.join(self.styles)}",
            f"pair_coeff * * {name} {partner_coefficients}".rstrip(),
            *(f"pair_coeff {line}" for line in self.coefficients),
        ]


@dataclass(frozen=True)
class DescriptorSettings:
    """Everything that ``compute snap`` depends on.

    Per-element tuples are in the order of `elements`, which is LAMMPS' order of types.

    Attributes
    ----------
    elements
        Chemical symbols, sorted.
    twojmax
        Twice the largest angular momentum, per element; LAMMPS computes the largest, columns
        beyond an element's own are left out.
    rcutfac
        Scale of the cutoff: two atoms interact within ``(radelem_i + radelem_j) * rcutfac`` Å.
    rfac0, rmin0
        Fraction of the three-sphere that is used; inner distance (Å).
    wj, radelem
        Neighbour weight and radius (Å, times rcutfac) per element.
    chem, bnorm, wselfall, bzero, quadratic, switch
        LAMMPS' flags of these names.
    sinner, dinner
        Centre and half-width (Å) of the inner switching function per element; None is off.
    constant
        Whether each element has a constant energy in the fit.
    reference
        Subtracted potential.
    """

    elements: tuple[str, ...]
    twojmax: tuple[int, ...]
    rcutfac: float
    rfac0: float = 0.99363
    rmin0: float = 0.0
    wj: tuple[float, ...] = ()
    radelem: tuple[float, ...] = ()
    chem: bool = False
    bnorm: bool = False
    wselfall: bool = False
    bzero: bool = True
    quadratic: bool = False
    switch: bool = True
    sinner: tuple[float, ...] | None = None
    dinner: tuple[float, ...] | None = None
    constant: bool = True
    reference: Reference = field(default_factory=Reference)

    def __post_init__(self) -> None:
        n = len(self.elements)
        if not self.wj:
            object.__setattr__(self, "wj", (1.0,) * n)
        if not self.radelem:
            object.__setattr__(self, "radelem", (0.5,) * n)
        for name in ("twojmax", "wj", "radelem", "sinner", "dinner"):
            values = getattr(self, name)
            if values is not None and len(values) != n:
                raise ValueError(f"{name} has {len(values)} values for {n} elements")

    @property
    def cutoff(self) -> float:
        """Largest distance in Å at which two atoms interact."""
        # the very product that LAMMPS forms: it compares this number with its own
        return max(2.0 * r * self.rcutfac for r in self.radelem)

    def compute_command(self) -> str:
        """The ``compute snap`` command."""
        words: list[str | float | int] = [self.rcutfac, self.rfac0, max(self.twojmax)]
        words += [*self.radelem, *self.wj]
        words += ["rmin0", self.rmin0, "switchflag", int(self.switch), "bzeroflag", int(self.bzero)]
        words += ["quadraticflag", int(self.quadratic)]
        if self.chem:
            words += ["chem", len(self.elements), *range(len(self.elements))]
        words += ["bnormflag", int(self.bnorm), "wselfallflag", int(self.wselfall)]
        if self.sinner is not None and self.dinner is not None:
            words += ["switchinnerflag", 1, "sinner", *self.sinner, "dinner", *self.dinner]
        return "compute snap all snap " + " ".join(repr(w) if isinstance(w, float) else str(w) for w in words)

    def pair_commands(self) -> list[str]:
        """Pair style whose cutoff is the descriptors' and whose forces are the reference's."""
        return self.reference.commands(f"zero {self.cutoff!r}", "")

    def fingerprint(self) -> str:
        """sha256 of everything above."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
