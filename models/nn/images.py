"""Pictures moved, and boxes in them, each row of a batch in its own way.

Shape letters: B rows, C channels, H height, W width.
"""

from typing import Literal

import torch

Border = Literal["edge", "mirror", "mean"]
"""What lies around a picture: the nearest pixel again, the picture mirrored, or the mean color, which is 0.

A black background, as of handwriting, is black beyond an edge too, where the mean color would be a gray bar; hence
`edge` wherever nothing speaks for another.
"""


def moved(x_BCHW: torch.Tensor, down_B: torch.Tensor, right_B: torch.Tensor, border: Border) -> torch.Tensor:
    """Every picture moved by whole pixels, at most by its own size."""
    height, width = x_BCHW.shape[2:]
    at_BH = torch.arange(height, device=x_BCHW.device) - down_B.unsqueeze(1)
    at_BW = torch.arange(width, device=x_BCHW.device) - right_B.unsqueeze(1)
    row_B1H1 = _found(at_BH, height, border)[:, None, :, None]
    column_B11W = _found(at_BW, width, border)[:, None, None, :]
    batch_B111 = torch.arange(len(x_BCHW), device=x_BCHW.device)[:, None, None, None]
    channel_C11 = torch.arange(x_BCHW.shape[1], device=x_BCHW.device)[:, None, None]
    moved_BCHW = x_BCHW[batch_B111, channel_C11, row_B1H1, column_B11W]
    if border == "mean":
        outside_BHW = ((at_BH < 0) | (at_BH >= height)).unsqueeze(2) | ((at_BW < 0) | (at_BW >= width)).unsqueeze(1)
        moved_BCHW = moved_BCHW.masked_fill(outside_BHW.unsqueeze(1), 0.0)
    return moved_BCHW


def _found(at: torch.Tensor, size: int, border: Border) -> torch.Tensor:
    """The pixel that stands at a place which may be outside."""
    if border == "mirror":
        at = torch.where(at < 0, -1 - at, torch.where(at >= size, 2 * size - 1 - at, at))
    return at.clamp(0, size - 1)


def box(
    x_BCHW: torch.Tensor, top_B: torch.Tensor, left_B: torch.Tensor, height_B: torch.Tensor, width_B: torch.Tensor
) -> torch.Tensor:
    """inside_B1HW: which pixels are in each row's box. A box may reach beyond the picture."""
    i_H = torch.arange(x_BCHW.shape[2], device=x_BCHW.device)
    j_W = torch.arange(x_BCHW.shape[3], device=x_BCHW.device)
    inside_BH = (i_H >= top_B[:, None]) & (i_H < (top_B + height_B)[:, None])
    inside_BW = (j_W >= left_B[:, None]) & (j_W < (left_B + width_B)[:, None])
    return (inside_BH.unsqueeze(2) & inside_BW.unsqueeze(1)).unsqueeze(1)
