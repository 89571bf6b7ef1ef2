"""Names that other tools have for what a study file calls something else.

Names are compared without case, dashes and underscores: `n_trials`, `nTrials` and `NTRIALS` are
one. What is not declared here is looked for among the names of the study file itself, by
likeness (see `study.spec.names.nearest`).
"""

from __future__ import annotations

from collections.abc import Mapping

_OURS: Mapping[str, str] = {
    "name": "project experiment study_name experiment_name run_name title",
    "data.dataset": "data_dir data_path data_root dataset_path dataset_name image_dir image_folder "
    "root path folder datamodule images_path",
    "data.size": "image_size img_size resolution res side height width",
    "data.channels": "in_channels img_channels image_channels n_channels num_channels colour color",
    "data.split": "val_fraction validation_split val_split test_size test_split held_out holdout "
    "folds k_fold",
    "data.count": "n_images max_images limit subset max_train_samples",
    "model.family": "model_type algorithm_family",
    "model.timesteps": "T num_timesteps n_timesteps diffusion_steps num_train_timesteps "
    "noise_steps num_diffusion_timesteps",
    "model.schedule": "beta_schedule noise_schedule noise_scheduler",
    "model.network": "net arch architecture backbone unet denoiser",
    "model.prediction": "prediction_type parameterization parametrization predict",
    "model.latent": "latent_dim z_dim nz noise_dim latent_size",
    "model.loss": "loss_type loss_fn criterion",
    "train.epochs": "n_epochs num_epochs max_epochs num_train_epochs train_epochs nb_epochs",
    "train.batch_size": "batch bs minibatch_size train_batch_size per_device_train_batch_size "
    "batch_size_per_gpu",
    "train.learning_rate": "lr eta base_lr max_lr step_size",
    "train.optimizer": "optim opt optimiser",
    "train.weight_decay": "wd l2_decay",
    "train.clip_norm": "clip grad_clip gradient_clip max_grad_norm gradient_clip_val clip_grad",
    "train.ema_half_life": "ema ema_decay ema_rate ema_beta",
    "train.warmup_images": "warmup warmup_steps warmup_epochs lr_warmup_steps num_warmup_steps",
    "train.decay": "scheduler lr_scheduler lr_schedule lr_decay",
    "train.precision": "amp fp16 bf16 mixed_precision dtype half",
    "train.early_stopping": "patience early_stop",
    "train.augment": "augmentation augmentations transforms horizontal_flip random_flip",
    "score.metric": "fid evaluation metrics monitor",
    "score.embedder": "feature_extractor features inception",
    "score.samples": "n_samples num_fid_samples num_images fid_samples n_generated",
    "score.steps": "sampling_steps inference_steps num_inference_steps ddim_steps nfe",
    "score.every": "eval_every eval_interval evaluate_every eval_freq check_val_every_n_epoch",
    "search.trials": "n_trials num_trials max_trials num_samples max_trial_number run_cap budget "
    "max_evals n_iter",
    "search.sampler": "algorithm algo search_alg search_algorithm tuner method strategy",
    "search.pruner": "early_terminate assessor pruning",
    "search.seed": "random_seed random_state manual_seed rng_seed",
    "search.objectives": "direction directions objective goal mode",
    "search.enqueue": "points_to_evaluate initial_points initial_params starting_points",
    "scale.gpus_per_worker": "device gpu gpus n_gpus num_gpus cuda accelerator gpus_per_trial "
    "use_gpu",
    "scale.cpus_per_worker": "cpu cpus n_cpus num_cpus cpus_per_trial threads num_threads",
    "scale.workers_per_trial": "workers num_workers n_workers nproc nproc_per_node world_size "
    "devices",
    "scale.lanes": "concurrency max_concurrent_trials trial_concurrency n_jobs parallel "
    "n_parallel max_concurrent max_parallel_trials",
}
"""Each of our keys, and what it is called elsewhere."""

_THERE: Mapping[tuple[str, str], str] = {
    ("search", "scheduler"): "search.pruner",
    ("search", "early_stopping"): "search.pruner",
    ("search", "metric"): "score.metric",
    ("search", "parallel"): "scale.lanes",
    ("train", "seed"): "search.seed",
    ("model", "seed"): "search.seed",
    ("", "seed"): "search.seed",
    ("", "epochs"): "train.epochs",
    ("", "steps"): "score.steps",
    ("", "loss"): "model.loss",
    ("model", "type"): "model.family",
    ("model", "name"): "model.family",
    ("model", "kind"): "model.family",
    ("data", "name"): "data.dataset",
    ("data", "batch_size"): "train.batch_size",
}
"""Names that mean something else in one section than elsewhere, or that several sections have."""

CALLED_KIND = ("type", "name", "_target_", "cls", "class")
"""What a section's `kind` is called elsewhere."""

_VALUES: Mapping[str, str] = {
    "tpe": "bayes bayesian bayes_opt hyperopt bohb optuna",
    "random": "random_search",
    "grid": "grid_search",
    "qmc": "sobol halton quasi_random",
    "gp": "gaussian_process gpbo botorch",
    "asha": "successive_halving sha async_hyperband",
    "median": "median_stopping median_stop medianstop",
    "none": "nop no off",
    "fid": "frechet_inception_distance frechet",
    "kid": "kernel_inception_distance",
    "fd_vae": "fid_vae",
    "mse": "l2 mse_loss mean_squared_error",
    "l1": "mae l1_loss mean_absolute_error",
    "huber": "smooth_l1 smooth_l1_loss",
    "epsilon": "eps noise",
    "x0": "sample x_start start",
    "v": "v_prediction velocity",
    "ddpm": "diffusion",
    "morphing": "cold_diffusion cold",
    "ancestral": "ddpm",
    "bfloat16": "bf16 fp16 float16",
    "float32": "fp32",
    "fashion_mnist": "fmnist",
    "unet": "unet2d_model",
    "non_saturating": "bce vanilla",
    "wasserstein": "wgan",
}
"""Each of our names of a value, and what it is called elsewhere."""


def normalised(name: str) -> str:
    """A name without case, dashes, underscores and spaces."""
    return "".join(character for character in name.lower() if character.isalnum())


_KEYS = {normalised(name): ours for ours, names in _OURS.items() for name in names.split()}
_SPECIAL = {(above, normalised(name)): ours for (above, name), ours in _THERE.items()}


def our_key(section: str, key: str, has_kinds: bool = False) -> str | None:
    """The dotted name of what another tool calls `key`; None if it is not known.

    Args:
        section: The dotted name of the section in which it stands; empty outside of any.
        key: The foreign name.
        has_kinds: Whether the section comes in kinds.
    """
    name = normalised(key)
    special = _SPECIAL.get((section, name))
    if special is None and has_kinds and key in CALLED_KIND:
        return f"{section}.kind"
    return special or _KEYS.get(name)


def other_names(value: str) -> str:
    """What one of our values is called elsewhere, in words apart by spaces."""
    return _VALUES.get(value, "")
