import numpy as np


def loops(z, b):
    out = np.empty(z.shape)
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            out[i, j] = z[i, j] + b[j]
    return out


def in_place_on_its_own(z, b):
    out = z.copy()
    out += b
    return out


def through_lists(z, b):
    return np.array([[x + y for x, y in zip(row, b.tolist(), strict=True)] for row in z.tolist()])


def tiled(z, b):
    return np.add(z, np.tile(b, (len(z), 1)))


def a_view(z, b):
    return np.stack([z + b, z])[0]


RIGHT = {
    "add_bias": (loops, in_place_on_its_own, through_lists, tiled, a_view, lambda z, b: b + z),
}
