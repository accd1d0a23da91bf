"""Train a small neural network on handwritten digits: a job that may be killed at any moment and loses almost nothing.

The digits are the 1,797 real ones of the UCI repository that scikit-learn brings along. The network, its gradients and
its optimiser (mini-batch gradient descent with momentum) are written out below in plain numpy.

What Suanwang asks of a job is in two small functions. `report` appends lines to $SUANWANG_PROGRESS_FILE, so that
everybody can watch. `save` puts checkpoints into $SUANWANG_CHECKPOINT_DIR, from which the next attempt goes on, at the
same centre or at another one. Without these variables the program runs by hand like any other:

    STEPS=1500 SECONDS=5 python3 train.py
"""
# ruff: noqa: T201  (what is printed is the job's log)

import os

# One thread, set before numpy loads: sums are then added in one order, so the same steps give the same bits (on
# processors of one kind).
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import hashlib
import json
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

Array = NDArray[np.float64]

STEPS = int(os.environ.get("STEPS", "1500"))
# The steps are real, but this network is so small that they would be over in a second. They are spread over about so
# many seconds of wall time, as if the model were bigger. Give whole seconds: bash has a variable of this name too.
SECONDS = float(os.environ.get("SECONDS", "25"))
REPORT_EVERY_S = min(0.6, max(0.05, SECONDS / 40))
SAVE_EVERY_S = min(2.5, max(0.1, SECONDS / 10))

SEED = 2023
LAYERS = (64, 48, 32, 10)
BATCH = 64
LEARNING_RATE = 0.03
MOMENTUM = 0.9
TEST_DIGITS = 360
CHECKPOINT = "checkpoint.npz"


@dataclass
class Training:
    """Everything that the next step depends on, and so everything that a checkpoint holds."""

    step: int
    weights: list[Array]
    """A matrix and a bias for each layer, in turn."""
    velocity: list[Array]
    rng: np.random.Generator
    """Draws the batches."""


@dataclass(frozen=True)
class Digits:
    train_x: Array
    train_y: NDArray[np.int64]
    test_x: Array
    test_y: NDArray[np.int64]


def read_digits() -> Digits:
    """Pixels from 0 to 1, the same split into training and test digits every time."""
    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(SEED).permutation(len(labels))
    x, y = pixels[order] / 16.0, labels[order]
    return Digits(x[TEST_DIGITS:], y[TEST_DIGITS:], x[:TEST_DIGITS], y[:TEST_DIGITS])


def begin() -> Training:
    rng = np.random.default_rng(SEED)
    weights = []
    for inputs, outputs in pairwise(LAYERS):
        weights += [rng.normal(0.0, np.sqrt(2.0 / inputs), (inputs, outputs)), np.zeros(outputs)]
    return Training(0, weights, [np.zeros_like(weight) for weight in weights], rng)


# The network ---------------------------------------------------------------------------------------------------------


def forward(weights: list[Array], x: Array) -> list[Array]:
    """What every layer puts out: hidden layers cut off below zero, the last one gives a score for each digit."""
    outputs = [x]
    for layer in range(0, len(weights), 2):
        scores = outputs[-1] @ weights[layer] + weights[layer + 1]
        is_last = layer + 2 == len(weights)
        outputs.append(scores if is_last else np.maximum(scores, 0.0))
    return outputs


def probabilities(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: Array = powers / powers.sum(axis=1, keepdims=True)
    return shares


def loss_of(weights: list[Array], x: Array, y: NDArray[np.int64]) -> float:
    """Mean cross-entropy."""
    chosen = probabilities(forward(weights, x)[-1])[np.arange(len(y)), y]
    return float(-np.log(np.maximum(chosen, 1e-300)).mean())


def accuracy_of(weights: list[Array], x: Array, y: NDArray[np.int64]) -> float:
    return float((forward(weights, x)[-1].argmax(axis=1) == y).mean())


def gradients(weights: list[Array], x: Array, y: NDArray[np.int64]) -> list[Array]:
    """Of the mean cross-entropy, layer by layer from the last to the first."""
    outputs = forward(weights, x)
    slope = probabilities(outputs[-1])
    slope[np.arange(len(y)), y] -= 1.0
    slope /= len(y)
    found: list[Array] = []
    for layer in reversed(range(0, len(weights), 2)):
        before = outputs[layer // 2]
        found = [before.T @ slope, slope.sum(axis=0), *found]
        slope = (slope @ weights[layer].T) * (before > 0.0)
    return found


def take_step(training: Training, digits: Digits) -> None:
    batch = training.rng.integers(0, len(digits.train_y), BATCH)
    found = gradients(training.weights, digits.train_x[batch], digits.train_y[batch])
    for i, gradient in enumerate(found):
        training.velocity[i] = MOMENTUM * training.velocity[i] - LEARNING_RATE * gradient
        training.weights[i] = training.weights[i] + training.velocity[i]
    training.step += 1


# What Suanwang asks of a job -----------------------------------------------------------------------------------------


def report(training: Training, digits: Digits, *, saved: bool = False) -> float:
    """Print how far the training is, and tell the network. Returns the share of test digits that are read right."""
    loss = loss_of(training.weights, digits.train_x, digits.train_y)
    accuracy = accuracy_of(training.weights, digits.test_x, digits.test_y)
    line = {
        "step": training.step,
        "total_steps": STEPS,
        "loss": round(loss, 6),
        "accuracy": round(accuracy, 4),
        "at_s": int(time.time()),
        **({"checkpoint": True} if saved else {}),
    }
    mark = "  saved" if saved else ""
    print(f"step {training.step}/{STEPS}  loss {loss:.4f}  accuracy {accuracy:.3f}{mark}", flush=True)
    if progress_file := os.environ.get("SUANWANG_PROGRESS_FILE"):
        with Path(progress_file).open("a") as file:
            file.write(json.dumps(line) + "\n")
    return accuracy


def save(training: Training) -> bool:
    """Write a checkpoint that is whole or not there at all. False: nobody gave a folder for it."""
    if not (folder := os.environ.get("SUANWANG_CHECKPOINT_DIR")):
        return False
    arrays: dict[str, Any] = {"step": training.step, "rng": json.dumps(training.rng.bit_generator.state)}
    arrays |= {f"weight_{i}": weight for i, weight in enumerate(training.weights)}
    arrays |= {f"velocity_{i}": velocity for i, velocity in enumerate(training.velocity)}
    part = Path(folder, f"{CHECKPOINT}.part")
    with part.open("wb") as file:
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())
    part.replace(Path(folder, CHECKPOINT))
    directory = os.open(folder, os.O_RDONLY)
    os.fsync(directory)  # The new name, too, must survive a loss of power.
    os.close(directory)
    return True


def resume() -> Training:
    """The training as the last checkpoint left it, or a new one."""
    training = begin()
    folder = os.environ.get("SUANWANG_CHECKPOINT_DIR")
    if not folder or not Path(folder, CHECKPOINT).exists():
        asked = os.environ.get("SUANWANG_RESUME") == "1"
        print("no checkpoint was handed over: starting anew" if asked else "starting anew")
        return training
    with np.load(Path(folder, CHECKPOINT)) as saved:
        training.step = int(saved["step"])
        training.rng.bit_generator.state = json.loads(str(saved["rng"]))
        training.weights = [saved[f"weight_{i}"] for i in range(len(training.weights))]
        training.velocity = [saved[f"velocity_{i}"] for i in range(len(training.velocity))]
    print(f"resumed from the checkpoint of step {training.step}")
    return training


def main() -> None:
    digits = read_digits()
    if centre := os.environ.get("SUANWANG_CENTRE"):
        print(f"attempt {os.environ.get('SUANWANG_ATTEMPT')} at {centre} on {os.environ.get('SUANWANG_CHIP')}")
    training = resume()
    report(training, digits)
    first, began = training.step, time.monotonic()
    reported = saved = began
    while training.step < STEPS:
        take_step(training, digits)
        now = time.monotonic()
        if now - saved >= SAVE_EVERY_S and save(training):
            report(training, digits, saved=True)
            reported = saved = now
        elif now - reported >= REPORT_EVERY_S:
            report(training, digits)
            reported = now
        due = began + (training.step - first) * SECONDS / STEPS
        time.sleep(max(0.0, due - time.monotonic()))
    accuracy = report(training, digits, saved=save(training))
    print(f"test accuracy {accuracy:.4f}, weights {fingerprint(training.weights)}")


def fingerprint(weights: list[Array]) -> str:
    """The same for the same bits: an interrupted training ends with the weights of one that was not."""
    return hashlib.sha256(b"".join(weight.tobytes() for weight in weights)).hexdigest()[:16]


if __name__ == "__main__":
    main()
