"""Holds the ResNet for CIFAR-10 of He et al. (2015), section 4.2, which the weights belong to."""

from __future__ import annotations

import torch
from torch import nn


class Block(nn.Module):
    """Two convolutions and a short cut without weights: every second pixel, and zero channels."""

    def __init__(self, before, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.stride, self.more = stride, width - before

    def forward(self, x):
        """Feature maps `(b, width, h / stride, w / stride)`."""
        own = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        short = x[:, :, :: self.stride, :: self.stride]
        half = self.more // 2
        short = nn.functional.pad(short, (0, 0, 0, 0, half, self.more - half))
        return torch.relu(own + short)


class ResNet(nn.Module):
    """Three stages of `blocks` blocks, 16, 32 and 64 wide; depth 6 * blocks + 2."""

    def __init__(self, blocks):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = self.stage(16, 16, blocks, 1)
        self.layer2 = self.stage(16, 32, blocks, 2)
        self.layer3 = self.stage(32, 64, blocks, 2)
        self.linear = nn.Linear(64, 10)

    @staticmethod
    def stage(before, width, blocks, stride):
        """Blocks, of which the first changes width and size."""
        rest = [Block(width, width, 1) for _ in range(blocks - 1)]
        return nn.Sequential(Block(before, width, stride), *rest)

    def forward(self, x):
        """Logits `(b, 10)` of images `(b, 3, h, w)`."""
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean(dim=(2, 3)))


def load(path, blocks):
    """The network with the weights of a safetensors file, every one of them used."""
    from safetensors.torch import load_file

    net = ResNet(blocks)
    net.load_state_dict(load_file(path), strict=True)
    return net
