"""Random inputs of gap_fit, as people write them, for ``migration_fuzz.py``."""

from __future__ import annotations

import random
from typing import Any


class Maker:
    """Makes random inputs."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def pick(self, *choices: Any) -> Any:
        """One of the choices."""
        return self.random.choice(choices)

    def maybe(self, *words: str, chance: float = 0.3) -> list[str]:
        """One of some words, or none."""
        return [self.pick(*words)] if self.random.random() < chance else []

    def number(self, low: float, high: float) -> str:
        """A number as people, and Fortran, write it."""
        value = self.random.uniform(low, high)
        form = self.pick("%.3f", "%.2e", "%.3g", "%.4E", "d", "D", "+")
        if form in "dD":
            return f"{value:.3e}".replace("e", form)
        return f"+{value:.3f}" if form == "+" else form % value

    def logical(self, value: bool) -> str:
        """A truth value."""
        word = self.pick("T", "true", "True", "TRUE", "t") if value else self.pick("F", "false", "False", "f")
        return str(word)

    def key(self, name: str) -> str:
        """A name, now and then in capital letters."""
        return str(self.pick(*[name] * 12, name.upper(), name.capitalize()))

    def setting(self, name: str, value: str) -> str:
        """A setting, with blanks around the sign now and then."""
        return str(self.pick(*["%s=%s"] * 8, "%s = %s", "%s =%s") % (self.key(name), value))

    def descriptor(self, n_elements: int) -> str:
        """One entry of the list of descriptors."""
        kind = self.pick(
            "distance_2b", "angle_3b", "distance_Nb", "soap", "soap", "soap_turbo", "distance_2b"
        )
        words = [self.pick(kind, kind, f"{kind}=T", f"{kind}={self.logical(True)}", kind.upper())]
        add = self.pick(None, None, True, False)
        if add is not None:
            words += [
                self.pick("add_species", f"add_species={self.logical(True)}")
                if add
                else self.setting("add_species", self.logical(False))
            ]
        delta = self.pick("delta", "delta", "delta", "energy_scale")
        words.append(self.setting(delta, self.number(0.01, 3)))
        words.append(
            self.setting(
                "sparse_method", self.pick("uniform", "random", "RANDOM", "cur_points", "CUR_POINTS", "none")
            )
        )
        if self.pick(True, True, False):
            words.append(self.setting("n_sparse", str(self.pick(1, 2, 10, "+5", "1,2"))))
        else:
            rows = self.pick(
                "aa:5:bb:7",
                "aa:5",
                "aa:5:default:2",
                " aa : 5 bb : 3 ",
                "bb;4;aa;2",
                "zz:4:aa:1",
                "{aa:3:bb:1}",
            )
            words.append(f"config_type_n_sparse={{{rows}}}")
        words += self.maybe(
            "f0=0.0",
            f"f0={self.logical(False)[:0]}0",
            "mark_sparse_atoms=F",
            "hello",
            "zzz=3",
            "print_sparse_index=f",
        )
        if kind == "soap_turbo":
            words += [
                "zeta=4",
                "covariance_type=DOT_PRODUCT",
                self.setting("l_max", "3"),
                "alpha_max={{4}}" if add is False else "n_max=4",
            ]
            words += (
                [f"rcut_hard={self.number(3, 5)}"]
                if self.pick(True, False)
                else [f"cutoff={self.number(3, 5)}"]
            )
            words += self.maybe("rcut_soft=2.5", "cutoff_transition_width=0.4")
            words += ["atom_sigma_r={{0.5}}", "atom_sigma_t={{0.4}}"] if add is False else ["atom_sigma=0.5"]
            words += self.maybe(
                "basis=poly3",
                "basis=poly3gauss",
                'basis="poly3"',
                "radial_enhancement=1",
                "central_weight={{1.0}}" if add is False else "central_weight=1.0",
            )
            words += ["n_species=1", f"species_Z={{{self.pick(15, 49)}}}"]
            return self.joined(words)
        words.append(self.setting("cutoff", self.number(2.5, 5)))
        words += self.maybe(self.setting("cutoff_transition_width", self.number(0.3, 1)))
        if kind == "soap":
            words += [self.setting("n_max", str(self.pick(2, 3))), self.setting("l_max", "2")]
            words.append(self.setting(self.pick("atom_sigma", "atom_gaussian_width"), self.number(0.3, 0.8)))
            words += self.maybe(
                f"central_weight={self.number(0.2, 1)}",
                f"normalise={self.logical(self.pick(True, False))}",
                f"normalize={self.logical(False)}",
                "cutoff_rate=2.0",
                "covariance_sigma0=0.0d0",
                "average=F",
                "cutoff_dexp=0",
                "radial_scaling=-0.5",
                "xml_version=1426512068",
            )
            covariance = self.pick("dot_product", "dot_product", "DOT_PRODUCT", "ard_se")
            if add is False and self.pick(True, False):
                words += self.pick(
                    ["Z=49"],
                    ["Z = 15", "n_species=1", "species_Z={49}"],
                    ["n_species=2", "species_Z={{49 15}}", "Z=49"],
                    ["n_species=2", "species_Z={{15 49}}"],
                    ["n_species=1", "species_Z=15"],
                    ["Z_center=49"],
                )
        else:
            covariance = self.pick("ard_se", "gaussian", "Gaussian", "ARD_SE", "pp", "dot_product")
            if kind == "distance_Nb":
                words.append(self.setting("order", self.pick("2", "3")))
                words += self.maybe(f"compact_clusters={self.logical(self.pick(True, False))}")
            if kind == "distance_2b":
                words += self.maybe("only_intra=F", "n_exponents=1", chance=0.1)
            if add is False and self.pick(True, False):
                words += {
                    "distance_2b": self.pick(["Z1=49", "Z2=15"], ["Z1=15"], ["Z2 = 49", "Z1=15"]),
                    "angle_3b": self.pick(["Z=49", "Z1=15", "Z2=49"], ["Z_center=15"], ["Z1=15"]),
                }.get(kind, ["Z={{15 49}}"] if "order=2" in words else [])
        words.append(self.setting("covariance_type", covariance))
        if covariance.lower() == "dot_product":
            words.append(
                self.setting(self.pick("zeta", "soap_exponent"), self.pick("2", "4", "2.0", "4.0d0", "1.0"))
            )
        else:
            words.append(
                self.setting(
                    self.pick("theta_uniform", "lengthscale_uniform", "theta_fac", "lengthscale_factor"),
                    self.number(0.2, 2),
                )
            )
        if self.random.random() < 0.1:  # the later one counts
            words.append(
                self.pick(
                    f"cutoff={self.number(2.5, 5)}",
                    f"energy_scale={self.number(0.1, 1)}",
                    f"delta={self.number(0.1, 1)}",
                )
            )
            return self.joined(words, shuffled=False)
        return self.joined(words)

    def joined(self, words: list[str], shuffled: bool = True) -> str:
        """Words with blanks or line breaks between them.

        After add_species gap_fit takes everything up to the next blank away, so that no comma stands on its own.
        """
        if shuffled:
            self.random.shuffle(words)
        return str(self.pick(" ", " ", "  ", "\n", " \n  ", ", ").join(words))

    def value(self, text: str) -> str:
        """A value with blanks in it."""
        return str(self.pick("{%s}", "{%s}", "'%s'", '"%s"', "{ %s }", "{%s }") % text)

    def command(self, n_elements: int) -> str:
        """All settings."""
        descriptors = [self.descriptor(n_elements) for _ in range(self.pick(1, 1, 2, 3))]
        descriptors = [self.pick(d, d, f" {d} ", f"{{{d}}}") for d in descriptors]
        gap = self.pick(" : ", ":", ";", "\n:\n").join(descriptors) + self.pick("", "", " ", ":", " :")
        sigmas = " ".join([self.number(1e-3, 1) for _ in range(3)] + ["0.0"])
        parts = [
            self.setting(self.pick("at_file", "atoms_filename"), f"{n_elements}.xyz"),
            self.setting("gap", self.pick("{%s}", "{ %s}", "'%s'", "{%s }") % gap),
            self.setting(self.pick("default_sigma", "default_kernel_regularisation"), self.value(sigmas)),
            "energy_parameter_name=energy",
            self.setting("force_parameter_name", "forces"),
        ]
        if self.pick(True, False):
            rows = [
                self.pick(":", " ", "\n", " : ", ";").join(
                    [name, *(self.number(1e-3, 1) for _ in range(3)), "0"]
                )
                for name in self.pick(
                    ["aa"], ["aa", "bb"], ["bb", "zz"], ["default", "aa"], ["aa", "bb", "aa"], ["AA"]
                )
            ]
            text = (
                self.pick("", " ", "\n") + self.pick(":", " ", ":\n  ").join(rows) + self.pick("", " ", ":")
            )
            key = self.pick("config_type_sigma", "config_type_kernel_regularisation")
            parts.append(self.setting(key, f"{{{text}}}"))
        parts.append(
            self.pick(
                "e0=0",
                "e0=-0.5d0",
                "e0={In:-0.5:P:-0.3}",
                "e0={ P:-1 : In : 1.0e-1 }",
                "e0={in:1:p:2}",
                "e0={49:1:15:-2.5}",
                "e0='In:-.5:P:1.'",
                "e0_method=average",
                "e0={In:1:P:2:Si:3}",
            )
        )
        parts += self.maybe(
            "sparse_jitter=1.0d-8",
            "sparse_jitter = 1e-9",
            "sigma_per_atom=T",
            "sigma_per_atom=true",
            "do_copy_at_file=F",
            "sparse_separate_file",
            "rnd_seed=7",
            "rnd_seed=+3",
            "e0_offset=0.0",
            "verbosity=NORMAL",
            "config_type_sigma={}",
            "virial_parameter_name=dft_virial",
            "openmp_chunk_size=10",
            "parameter_name_prefix=",
            "hessian_delta=1e-2",
            chance=0.7,
        )
        self.random.shuffle(parts)
        line: str = self.pick(" ", "\n", "  ", " \n").join(parts) + self.pick("", "\n", " ")
        return line.replace("49", "15") if n_elements == 1 else line
