"""Models that see: the language model within is extended, what is around it stays as it is."""

import pytest
import torch
import transformers
from loaded import SIZES, noise

from yarncore.transformers import extend, restore

TEXT = {key: value for key, value in SIZES.items() if key != "attn_implementation"} | {
    "vocab_size": 160,
    "head_dim": 16,
}
SEES = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28,
        "patch_size": 14}  # fmt: skip
MARKS = {"image_token_id": 150, "vision_start_token_id": 151, "vision_end_token_id": 152, "video_token_id": 153}
IDS = torch.randint(5, 90, (1, 100), generator=torch.Generator().manual_seed(1))


def with_picture():
    """A picture of 4 x 4 patches, which are four tokens: they stand at several positions each."""
    ids = IDS.clone()
    ids[0, 10], ids[0, 11:15], ids[0, 15] = 151, 150, 152
    pixels = torch.randn(16, 3 * 2 * 14 * 14, generator=torch.Generator().manual_seed(2))
    return {"input_ids": ids, "pixel_values": pixels, "image_grid_thw": torch.tensor([[1, 4, 4]]),
            "mm_token_type_ids": (ids == 150).long()}  # fmt: skip


def rope(**keys):
    return {"rope_type": "default", "rope_theta": 10_000.0, **keys}


def llava():
    config = transformers.LlavaConfig(
        text_config={"model_type": "llama", **TEXT}, vision_config={"model_type": "clip_vision_model", **SEES},
        image_token_index=150,
    )  # fmt: skip
    return transformers.LlavaForConditionalGeneration(config), {"input_ids": IDS}


def qwen2_vl():
    text = {**TEXT, "rope_parameters": rope(mrope_section=[2, 3, 3])}
    sees = {"depth": 1, "embed_dim": 32, "hidden_size": 64, "num_heads": 2, "patch_size": 14}
    config = transformers.Qwen2VLConfig(text_config=text, vision_config=sees, **MARKS)
    return transformers.Qwen2VLForConditionalGeneration(config), with_picture()


def qwen3_vl():
    text = {**TEXT, "rope_parameters": rope(mrope_section=[3, 3, 2], mrope_interleaved=True)}
    sees = {"depth": 1, "hidden_size": 32, "out_hidden_size": 64, "intermediate_size": 32, "num_heads": 2, "patch_size": 14,
            "deepstack_visual_indexes": [0], "num_position_embeddings": 64}  # fmt: skip
    config = transformers.Qwen3VLConfig(text_config=text, vision_config=sees, **MARKS)
    return transformers.Qwen3VLForConditionalGeneration(config), with_picture()


@pytest.mark.parametrize("made", [llava, qwen2_vl, qwen3_vl])
@pytest.mark.filterwarnings("ignore")  # transformers on ids of its defaults beyond so small a vocabulary
def test_the_language_model_is_extended(made, tmp_path):
    torch.manual_seed(0)
    model, inputs = made()
    with torch.no_grad():
        before = model.eval()(**inputs).logits
        around = [id(module) for module in model.modules() if "ision" in type(module).__name__]
        assert extend(model).rotation == "fused"
        assert (model(**inputs).logits - before).abs().max() < noise(before)
        report = extend(model, factor=4, replace=True)
        extended = model(**inputs).logits
        assert (extended - before).abs().max() > 100 * noise(before)
        assert [id(module) for module in model.modules() if "ision" in type(module).__name__] == around
        assert report.saved_as == "config.json"
        model.save_pretrained(tmp_path)
        again = type(model).from_pretrained(tmp_path).eval()
        assert (again(**inputs).logits - extended).abs().max() < noise(extended)
        restore(model)
        assert torch.equal(model(**inputs).logits, before)
