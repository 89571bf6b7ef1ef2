"""The network of FID: InceptionV3 as of 2015-12-05, arranged to run fast.

Szegedy et al. 2015, "Rethinking the Inception Architecture for Computer Vision", with what the
graph behind the Fréchet inception distance does otherwise: average pooling leaves the border's
padding out of its averages, and the last block pools by maximum. Names of layers are torchvision's.

What it computes is the same to rounding; how, differs where that saves time:

- Batch normalisation is folded into weights and biases.
- The 1x1 convolutions at the head of a block are one convolution.
- A block's average pooling comes after its 1x1 convolution, over fewer channels: both are linear,
  the weights of an average add up to 1, and the rectification follows them.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

DIM = 2048

_EPSILON = 1e-3  # of the batch normalisation
_ACROSS, _DOWN = (0, 3), (3, 0)  # padding of the 1x7 and the 7x1 convolutions


class Inception(nn.Module):
    """From pictures [N, 3, 299, 299] in [-1, 1] to features [N, 2048], in evaluation mode.

    Args:
        weights: The canonical weights, by torchvision's names.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        """Fold and merge the weights."""
        super().__init__()
        self.stem = nn.Sequential(
            _convolution(weights, "Conv2d_1a_3x3", stride=2),
            _convolution(weights, "Conv2d_2a_3x3"),
            _convolution(weights, "Conv2d_2b_3x3", padding=(1, 1)),
            nn.MaxPool2d(3, stride=2),
            _convolution(weights, "Conv2d_3b_1x1"),
            _convolution(weights, "Conv2d_4a_3x3"),
            nn.MaxPool2d(3, stride=2),
        )
        self.blocks = nn.Sequential(
            *(_Block35(weights, f"Mixed_5{letter}") for letter in "bcd"),
            _Reduce35(weights, "Mixed_6a"),
            *(_Block17(weights, f"Mixed_6{letter}") for letter in "bcde"),
            _Reduce17(weights, "Mixed_7a"),
            _Block8(weights, "Mixed_7b", average=True),
            _Block8(weights, "Mixed_7c", average=False),
        )
        self.to(memory_format=torch.channels_last)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """The features, [N, 2048]."""
        x = self.stem(x.contiguous(memory_format=torch.channels_last))  # [N, 192, 35, 35]
        features: Tensor = self.blocks(x).mean(dim=(2, 3))  # from [N, 2048, 8, 8]
        return features


class _Block35(nn.Module):
    """A block on the grid of 35 x 35: 1x1, 5x5, twice 3x3, and average pooling."""

    def __init__(self, weights: Mapping[str, Tensor], name: str) -> None:
        super().__init__()
        self.heads = _Heads(weights, name, "branch1x1", "branch5x5_1", "branch3x3dbl_1")
        self.five = _convolution(weights, f"{name}.branch5x5_2", padding=(2, 2))
        self.three = nn.Sequential(
            _convolution(weights, f"{name}.branch3x3dbl_2", padding=(1, 1)),
            _convolution(weights, f"{name}.branch3x3dbl_3", padding=(1, 1)),
        )
        self.pooled = _average_pooled(weights, f"{name}.branch_pool")

    def forward(self, x: Tensor) -> Tensor:
        one, five, three = self.heads(x)
        return torch.cat([one, self.five(five), self.three(three), self.pooled(x)], 1)


class _Reduce35(nn.Module):
    """From 35 x 35 to 17 x 17."""

    def __init__(self, weights: Mapping[str, Tensor], name: str) -> None:
        super().__init__()
        self.three = _convolution(weights, f"{name}.branch3x3", stride=2)
        self.twice = nn.Sequential(
            _convolution(weights, f"{name}.branch3x3dbl_1"),
            _convolution(weights, f"{name}.branch3x3dbl_2", padding=(1, 1)),
            _convolution(weights, f"{name}.branch3x3dbl_3", stride=2),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.three(x), self.twice(x), functional.max_pool2d(x, 3, 2)], 1)


class _Block17(nn.Module):
    """A block on the grid of 17 x 17: 1x1, 7x7 and twice 7x7 in two factors, average pooling."""

    def __init__(self, weights: Mapping[str, Tensor], name: str) -> None:
        super().__init__()
        self.heads = _Heads(weights, name, "branch1x1", "branch7x7_1", "branch7x7dbl_1")
        self.seven = nn.Sequential(
            _convolution(weights, f"{name}.branch7x7_2", padding=_ACROSS),
            _convolution(weights, f"{name}.branch7x7_3", padding=_DOWN),
        )
        self.twice = nn.Sequential(
            _convolution(weights, f"{name}.branch7x7dbl_2", padding=_DOWN),
            _convolution(weights, f"{name}.branch7x7dbl_3", padding=_ACROSS),
            _convolution(weights, f"{name}.branch7x7dbl_4", padding=_DOWN),
            _convolution(weights, f"{name}.branch7x7dbl_5", padding=_ACROSS),
        )
        self.pooled = _average_pooled(weights, f"{name}.branch_pool")

    def forward(self, x: Tensor) -> Tensor:
        one, seven, twice = self.heads(x)
        return torch.cat([one, self.seven(seven), self.twice(twice), self.pooled(x)], 1)


class _Reduce17(nn.Module):
    """From 17 x 17 to 8 x 8."""

    def __init__(self, weights: Mapping[str, Tensor], name: str) -> None:
        super().__init__()
        self.heads = _Heads(weights, name, "branch3x3_1", "branch7x7x3_1")
        self.three = _convolution(weights, f"{name}.branch3x3_2", stride=2)
        self.seven = nn.Sequential(
            _convolution(weights, f"{name}.branch7x7x3_2", padding=_ACROSS),
            _convolution(weights, f"{name}.branch7x7x3_3", padding=_DOWN),
            _convolution(weights, f"{name}.branch7x7x3_4", stride=2),
        )

    def forward(self, x: Tensor) -> Tensor:
        three, seven = self.heads(x)
        pooled = functional.max_pool2d(x, 3, 2)
        return torch.cat([self.three(three), self.seven(seven), pooled], 1)


class _Block8(nn.Module):
    """A block on the grid of 8 x 8: 1x1, 3x3 and twice 3x3 whose ends part in two, pooling."""

    def __init__(self, weights: Mapping[str, Tensor], name: str, *, average: bool) -> None:
        super().__init__()
        self.heads = _Heads(weights, name, "branch1x1", "branch3x3_1", "branch3x3dbl_1")
        self.three_across = _convolution(weights, f"{name}.branch3x3_2a", padding=(0, 1))
        self.three_down = _convolution(weights, f"{name}.branch3x3_2b", padding=(1, 0))
        self.twice = _convolution(weights, f"{name}.branch3x3dbl_2", padding=(1, 1))
        self.twice_across = _convolution(weights, f"{name}.branch3x3dbl_3a", padding=(0, 1))
        self.twice_down = _convolution(weights, f"{name}.branch3x3dbl_3b", padding=(1, 0))
        self.pooled = (
            _average_pooled(weights, f"{name}.branch_pool")
            if average
            else nn.Sequential(
                nn.MaxPool2d(3, stride=1, padding=1), _convolution(weights, f"{name}.branch_pool")
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        one, three, twice = self.heads(x)
        twice = self.twice(twice)
        ends = [
            *(self.three_across(three), self.three_down(three)),
            *(self.twice_across(twice), self.twice_down(twice)),
        ]
        return torch.cat([one, *ends, self.pooled(x)], 1)


class _Heads(nn.Module):
    """The 1x1 convolutions that all read a block's input, as one, rectified and taken apart."""

    def __init__(self, weights: Mapping[str, Tensor], block: str, *branches: str) -> None:
        super().__init__()
        names = [f"{block}.{branch}" for branch in branches]
        self.merged = _convolution(weights, *names)
        self.widths = [len(weights[f"{name}.conv.weight"]) for name in names]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        heads: Tensor = self.merged(x)
        return torch.split(heads, self.widths, dim=1)


class _Convolution(nn.Module):
    """A convolution with its bias, rectified or not.

    On a CPU with oneDNN, kernels are kept in the order that it computes with, and rectified on the
    way: without that it would put them in order for every block anew. These are the operations that
    torch.compile generates code with; where they are missing, the ordinary ones do.
    """

    kernel: Tensor
    bias: Tensor

    def __init__(
        self,
        kernel: Tensor,
        bias: Tensor,
        *,
        stride: int,
        padding: tuple[int, int],
        rectified: bool,
    ) -> None:
        super().__init__()
        self.register_buffer("kernel", kernel)  # [C_out, C_in, h, w]
        self.register_buffer("bias", bias)  # [C_out]
        self.stride, self.padding, self.rectified = [stride, stride], list(padding), rectified
        self._ordered: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type == "cpu" and _ORDERS_KERNELS:
            return self._on_onednn(x)
        x = functional.conv2d(x, self.kernel, self.bias, self.stride, self.padding)
        return x.relu_() if self.rectified else x

    def _on_onednn(self, x: Tensor) -> Tensor:
        onednn = torch.ops.mkldnn
        shape = (self.padding, self.stride, [1, 1], 1)  # no dilation, one group
        if self._ordered is None:
            kernel = self.kernel.contiguous()
            self._ordered = onednn._reorder_convolution_weight(kernel, *shape, list(x.shape))
        after = "relu" if self.rectified else "none"
        computed: Tensor = onednn._convolution_pointwise(
            x, self._ordered, self.bias, *shape, after, [], ""
        )
        return computed


_ORDERS_KERNELS: bool = torch.backends.mkldnn.is_available() and all(  # type: ignore[no-untyped-call]
    hasattr(torch.ops.mkldnn, name)
    for name in ("_reorder_convolution_weight", "_convolution_pointwise")
)


def _average_pooled(weights: Mapping[str, Tensor], name: str) -> nn.Module:
    return nn.Sequential(
        _convolution(weights, name, rectified=False),
        nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
        nn.ReLU(inplace=True),
    )


def _convolution(
    weights: Mapping[str, Tensor],
    *names: str,
    stride: int = 1,
    padding: tuple[int, int] = (0, 0),
    rectified: bool = True,
) -> nn.Module:
    """One convolution for those named, each with its batch normalisation folded into it."""
    kernels, biases = zip(*(_folded(weights, name) for name in names), strict=True)
    return _Convolution(
        torch.cat(kernels), torch.cat(biases), stride=stride, padding=padding, rectified=rectified
    )


def _folded(weights: Mapping[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    """Kernel and bias of a convolution followed by its batch normalisation."""
    kernel = weights[f"{name}.conv.weight"].double()  # [C_out, C_in, h, w]
    scale, shift, mean, variance = (
        weights[f"{name}.bn.{part}"].double()
        for part in ("weight", "bias", "running_mean", "running_var")
    )  # [C_out] each
    scale = scale * (variance + _EPSILON).rsqrt()
    return (kernel * scale[:, None, None, None]).float(), (shift - mean * scale).float()
