"""Settings objects for tests that need no whole config, and jobs as a sweep composes them."""

from leakage.settings.compose import Composer
from leakage.settings.config import Headline, LoraSettings, ModelSettings, TemplateSettings, TrainSettings
from leakage.studies.registry import studies


def template_settings(**changes):
    return TemplateSettings(**({"system": "turn", "date": "2024-07-26", "arguments": {}, "stops": ()} | changes))


def model_settings(**changes):
    values = {
        "name": "nano", "path": "pkg://leakage/nano/weights", "revision": None, "dtype": "float32",
        "inference_dtype": "float64", "pool": "nano", "layers": (0, 1), "threads": 1, "template": template_settings(),
        "headline": Headline(layer=1, centred=True, choice="accuracy"),
    }  # fmt: skip
    return ModelSettings(**(values | changes))


def lora_settings(**changes):
    return LoraSettings(**({"r": 4, "alpha": 8, "dropout": 0.0, "use_rslora": True, "targets": "all-linear"} | changes))


def train_settings(**changes):
    values = {
        "learning_rate": 1e-4, "epochs": 1, "batch_size": 4, "warmup_ratio": 0.05, "weight_decay": 0.0,
        "max_grad_norm": 1.0, "max_length": 256, "max_steps": None, "until": None, "kl_to_base": 0.0,
        "checkpoint_s": 120.0, "report_to": (),
    }  # fmt: skip
    return TrainSettings(**(values | changes))


def jobs_composer(study=0):
    """From overrides to a job of a study, the first unless another is asked for; Hydra must be initialised."""
    from hydra import compose

    of = studies()[study]
    composer = Composer(lambda overrides: compose(of.config, list(overrides)), of.settings(), of.options())
    return lambda overrides: of.job(composer(overrides))
