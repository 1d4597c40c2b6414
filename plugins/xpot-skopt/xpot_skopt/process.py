"""scikit-optimize's Gaussian process with predictions that use matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np
from skopt.learning import GaussianProcessRegressor
from skopt.learning.gaussian_process.kernels import ConstantKernel, Matern

from xpot_core.api import FloatArray
from xpot_skopt.likelihood import JITTER, KernelParameters


class Process(GaussianProcessRegressor):  # type: ignore[misc]
    """A process whose kernel is given; the published class spends most of an ask in one einsum."""

    def predict(  # noqa: D102 - as in the base class
        self,
        X: FloatArray,
        return_std: bool = False,
        return_cov: bool = False,
        return_mean_grad: bool = False,
        return_std_grad: bool = False,
    ) -> Any:
        if return_cov or not return_std:
            return super().predict(X, return_std, return_cov, return_mean_grad, return_std_grad)
        scale = self.y_train_std_
        k = self.kernel_(X, self.X_train_)
        projected = k @ self.K_inv_
        mean = scale * (k @ self.alpha_) + self.y_train_mean_
        variance = self.kernel_.diag(X) - np.einsum("ij,ij->i", projected, k)
        std = scale * np.sqrt(np.maximum(variance, 0.0))
        if not return_mean_grad:
            return mean, std
        slope = self.kernel_.gradient_x(X[0], self.X_train_)
        mean_slope = scale * (slope.T @ self.alpha_)
        if not return_std_grad:
            return mean, std, mean_slope
        std_slope = np.zeros(X.shape[1])
        if std[0] > 1e-8 * scale:
            std_slope = -(projected[0] @ slope) * scale**2 / std[0]
        return mean, std, mean_slope, std_slope


def condition(x: FloatArray, y: FloatArray, kernel: KernelParameters) -> Process:
    """The process with this kernel, given these observations."""
    model = Process(
        kernel=ConstantKernel(kernel.amplitude, "fixed")
        * Matern(kernel.lengths, length_scale_bounds="fixed", nu=2.5),
        alpha=JITTER,
        optimizer=None,
        normalize_y=True,
        noise=kernel.noise or None,
    )
    return model.fit(x, y)  # type: ignore[no-any-return]
