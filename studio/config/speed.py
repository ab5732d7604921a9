"""Work that the fast path saves, switch by switch."""

from __future__ import annotations

from typing import Literal

from studio.config.setting import Section, setting

SAVINGS = ("share_images", "share_prompts", "cache_features", "cache_reference")


class SpeedConfig(Section):
    """Work saved without changing the losses. `off` is stock TRL."""

    share_images: Literal["auto", "off"] = setting(
        "auto", "Encode each image once", "Per batch.", effect="Time and memory; exact."
    )
    share_prompts: Literal["auto", "off"] = setting(
        "auto", "Share the prompt", "Between two answers.", effect="Time and memory; exact."
    )
    cache_features: Literal["auto", "off"] = setting(
        "auto", "Cache image features", "On disk.", effect="Time of later epochs; disk; exact."
    )
    cache_reference: Literal["auto", "off"] = setting(
        "auto",
        "Cache reference scores",
        "On disk.",
        effect="Time of later epochs; exact.",
        trl="precompute_ref_log_probs",
    )
    cache_gigabytes: float = setting(
        20.0,
        "Largest cache (GiB)",
        "Most disk space all cached image features may take; the longest unused go first.",
        effect="Disk.",
        gt=0,
    )
    workers: int | None = setting(
        None,
        "Preparing processes",
        "Processes that prepare images ahead. Empty: two beside a GPU, none on the CPU.",
        effect="Time beside a GPU; main memory.",
        trl="dataloader_num_workers",
        ge=0,
        le=64,
    )

    @property
    def all_off(self) -> bool:
        """Whether nothing is to be saved: TRL's trainers exactly."""
        return all(getattr(self, name) == "off" for name in SAVINGS)
