"""Random changes of training images, each member's with its own magnitudes, all in one call."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

import hoptim

MAGNITUDES: Mapping[str, hoptim.Dimension] = {
    "shift": hoptim.Float(0.0, 0.25),  # the farthest, in sides of the image
    "rotate": hoptim.Float(0.0, 30.0),  # the farthest, in degrees
    "erase": hoptim.Float(0.0, 0.6),  # side of the erased square, in sides of the image
    "contrast": hoptim.Float(0.0, 0.9),  # the largest change, as a share of the contrast
}


def augment(
    images: Tensor, magnitudes: Mapping[str, Tensor], generator: torch.Generator, mirrored: bool = False
) -> Tensor:
    """Return images, each shifted, rotated, changed in contrast and erased in a square of a random place.

    The square is that of Cutout (DeVries and Taylor 2017, arXiv 1708.04552); what comes in from beyond an
    edge is black. Magnitudes of 0 leave an image as it is, up to the rounding of its interpolation.

    Args:
        images: Square images `(members, images, channels, side, side)`, from 0 to 1.
        magnitudes: A value per member for each name of `MAGNITUDES`.
        generator: Source of the random draws.
        mirrored: True to mirror each image with probability 1/2. Default: False.
    """
    members, count, _, side, _ = images.shape
    draws = torch.rand(7, members, count, generator=generator, device=images.device)
    right, down, turn, contrast = 2 * draws[:4] - 1
    shift, rotate, erase, change = (magnitudes[name][:, None] for name in MAGNITUDES)
    mirror = torch.where(draws[6] < 0.5, -1, 1) if mirrored else torch.ones_like(right)
    moved = _move(images, 2 * shift * right, 2 * shift * down, turn * rotate * (math.pi / 180), mirror)
    factor = (1 + change * contrast)[..., None, None, None]
    mean = moved.mean((2, 3, 4), keepdim=True)
    kept = _outside(draws[4] * side, draws[5] * side, erase * side / 2, side)
    return ((moved - mean) * factor + mean) * kept


def _move(images: Tensor, right: Tensor, down: Tensor, angle: Tensor, mirror: Tensor) -> Tensor:
    """Return images moved by distances in halves of the image, and turned by an angle in radians."""
    cosine, sine = angle.cos(), angle.sin()
    rows = torch.stack([mirror * cosine, -sine, right], -1), torch.stack([mirror * sine, cosine, down], -1)
    flat = images.flatten(0, 1)
    matrices = torch.stack(rows, -2).flatten(0, 1)
    grid = functional.affine_grid(matrices, list(flat.shape), align_corners=False)
    return functional.grid_sample(flat, grid, align_corners=False).view_as(images)


def _outside(x: Tensor, y: Tensor, reach: Tensor, side: int) -> Tensor:
    """Return 0 within squares around points, and 1 elsewhere, `(members, images, 1, side, side)`."""
    pixels = torch.arange(side, device=x.device) + 0.5
    columns, rows = ((pixels - centre[..., None]).abs() < reach[..., None] for centre in (x, y))
    return ~(rows[..., :, None] & columns[..., None, :])[:, :, None]
