"""Writes a language model of half a megabyte with random weights: real protocol, senseless text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from pathlib import Path

LAYERS, WIDTH, HEADS, HIDDEN, CONTEXT = 2, 64, 4, 192, 512
WORDS = [" yes", " no", " the", " a", " of", " to", " and", " in", " is", " it", " for", " that"]
SPECIAL, BYTES = ["<unk>", "<s>", "</s>"], [f"<0x{byte:02X}>" for byte in range(256)]
TEMPLATE = "{% for message in messages %}{{ message.content }}\n{% endfor %}"


def write_tiny_gguf(path: Path, seed: int = 7) -> None:
    """Write a Llama of two layers, with a vocabulary of bytes, letters and a few words."""
    gguf = pytest.importorskip("gguf")
    tokens = [*SPECIAL, *BYTES, *(word.replace(" ", "\u2581") for word in WORDS), "\u2581"]
    tokens += [chr(code) for code in range(ord("a"), ord("z") + 1)]
    writer = gguf.GGUFWriter(str(path), "llama")
    _describe(gguf, writer, tokens)
    for name, values in _weights(np.random.default_rng(seed), len(tokens)).items():
        writer.add_tensor(name, values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _describe(gguf: Any, writer: Any, tokens: list[str]) -> None:
    kinds = gguf.TokenType
    types = [kinds.UNKNOWN, kinds.CONTROL, kinds.CONTROL, *[kinds.BYTE] * len(BYTES)]
    types += [kinds.NORMAL] * (len(tokens) - len(types))
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(at) for at in range(len(tokens))])
    writer.add_token_types([int(kind) for kind in types])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATE)


def _weights(chance: np.random.Generator, vocabulary: int) -> dict[str, Any]:
    def random(*shape: int) -> Any:
        return chance.normal(0.0, 0.3, shape)

    scores = random(vocabulary, WIDTH)
    scores[: len(SPECIAL) + len(BYTES)] = 0  # at temperature 0 it says words, and does not end
    weights = {
        "token_embd.weight": random(vocabulary, WIDTH),
        "output_norm.weight": np.ones(WIDTH),
        "output.weight": scores,
    }
    shapes = {"attn_q": (WIDTH, WIDTH), "attn_k": (WIDTH, WIDTH), "attn_v": (WIDTH, WIDTH)}
    shapes |= {"attn_output": (WIDTH, WIDTH), "ffn_down": (WIDTH, HIDDEN)}
    shapes |= {"ffn_gate": (HIDDEN, WIDTH), "ffn_up": (HIDDEN, WIDTH)}
    for layer in range(LAYERS):
        weights |= {
            f"blk.{layer}.{norm}.weight": np.ones(WIDTH) for norm in ("attn_norm", "ffn_norm")
        }
        weights |= {f"blk.{layer}.{name}.weight": random(*shape) for name, shape in shapes.items()}
    return weights
