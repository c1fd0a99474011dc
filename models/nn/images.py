"""Image operations with their own parameters for each row of a batch: translation and box masks.

Shape letters: B rows, C channels, H height, W width.
"""

from typing import Literal

import torch

Border = Literal["edge", "mirror", "mean"]
"""What lies outside an image: its nearest pixel, its mirror image, or the mean color, which is 0.

`edge` is the default: handwriting on a black background stays black beyond its edge, where the mean color would add a
gray bar.
"""


def translate(x_BCHW: torch.Tensor, down_B: torch.Tensor, right_B: torch.Tensor, border: Border) -> torch.Tensor:
    """Every image moved by whole pixels, at most by its own size."""
    height, width = x_BCHW.shape[2:]
    row_BH = torch.arange(height, device=x_BCHW.device) - down_B.unsqueeze(1)
    column_BW = torch.arange(width, device=x_BCHW.device) - right_B.unsqueeze(1)
    row_B1H1 = _inside(row_BH, height, border)[:, None, :, None]
    column_B11W = _inside(column_BW, width, border)[:, None, None, :]
    batch_B111 = torch.arange(len(x_BCHW), device=x_BCHW.device)[:, None, None, None]
    channel_C11 = torch.arange(x_BCHW.shape[1], device=x_BCHW.device)[:, None, None]
    translated_BCHW = x_BCHW[batch_B111, channel_C11, row_B1H1, column_B11W]
    if border == "mean":
        outside_BH = (row_BH < 0) | (row_BH >= height)
        outside_BW = (column_BW < 0) | (column_BW >= width)
        outside_BHW = outside_BH.unsqueeze(2) | outside_BW.unsqueeze(1)
        translated_BCHW = translated_BCHW.masked_fill(outside_BHW.unsqueeze(1), 0.0)
    return translated_BCHW


def _inside(index: torch.Tensor, size: int, border: Border) -> torch.Tensor:
    """The index of the pixel to show for an index that may lie outside the image."""
    if border == "mirror":
        index = torch.where(index < 0, -1 - index, torch.where(index >= size, 2 * size - 1 - index, index))
    return index.clamp(0, size - 1)


def box_mask(
    x_BCHW: torch.Tensor, top_B: torch.Tensor, left_B: torch.Tensor, height_B: torch.Tensor, width_B: torch.Tensor
) -> torch.Tensor:
    """mask_B1HW: true for the pixels inside each row's box. A box may reach beyond the image."""
    i_H = torch.arange(x_BCHW.shape[2], device=x_BCHW.device)
    j_W = torch.arange(x_BCHW.shape[3], device=x_BCHW.device)
    mask_BH = (i_H >= top_B[:, None]) & (i_H < (top_B + height_B)[:, None])
    mask_BW = (j_W >= left_B[:, None]) & (j_W < (left_B + width_B)[:, None])
    return (mask_BH.unsqueeze(2) & mask_BW.unsqueeze(1)).unsqueeze(1)
