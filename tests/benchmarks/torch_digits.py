"""The shortest script that trains the network of digits in PyTorch: torch_digits.py DIGITS.npz THREADS EPOCHS."""

import sys

import numpy as np
import torch  # type: ignore[import-not-found, import-untyped, unused-ignore]
from torch import nn

torch.set_num_threads(int(sys.argv[2]))
torch.manual_seed(0)
data = np.load(sys.argv[1])
images = torch.tensor(data["images"][:, None] / np.float32(255))
labels = torch.tensor(data["labels"])
train, dev, test = torch.randperm(len(labels)).split([1427, 182, 188])
network = nn.Sequential(
    *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
    *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
    *(nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)),
)
optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
for epoch in range(int(sys.argv[3])):
    for chosen in train[torch.randperm(len(train))].split(32):
        loss = nn.functional.cross_entropy(network(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        print(epoch + 1, loss.item(), nn.functional.cross_entropy(network(images[dev]), labels[dev]).item())
with torch.no_grad():
    print(float((network(images[test]).argmax(dim=1) == labels[test]).float().mean()))
