"""Submitting a study to a Ray cluster through its Jobs API."""

from __future__ import annotations

import asyncio
import http.client
import logging
import os
import shlex
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import aiohttp
from ray.exceptions import AuthenticationError
from ray.job_submission import JobStatus, JobSubmissionClient

from study.lanes.ray_private import refusal
from study.spec import StudyFile, UserError

FILE = "study.yaml"

ANSWER_SECONDS = 8.0
"""How long a dashboard may take to answer at all."""

ASK_STORAGE = (
    '"${STUDY_STORAGE:?is not set on this cluster: name a storage with study submit --storage}"'
)
"""For the job's shell: where the cluster keeps studies, or a line that says that nobody said."""


def submit_study(study_file: StudyFile, address: str, storage: str | None) -> str:
    """Hand a study to the cluster, to run there; answers the job's id.

    The study file goes along, overrides applied. The cluster has fidtune installed.

    Args:
        study_file: The study.
        address: The dashboard, `http://HOST:8265`. A token, if the cluster asks for one, comes from
            RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token, with RAY_AUTH_MODE=token.
        storage: Where the cluster writes results; None leaves it to the cluster's STUDY_STORAGE.

    Raises:
        UserError: Nobody answers there, or it refuses us; or the storage is a relative path, which
            would be in the job's own folder, and go away with it.
    """
    if (
        storage is not None
        and "://" not in storage
        and not os.path.isabs(os.path.expanduser(storage))
    ):
        raise UserError(
            f"--storage {storage}: must be s3://... or an absolute path that all nodes share"
        )
    where = ASK_STORAGE if storage is None else shlex.quote(storage)
    client = _client(address)
    with tempfile.TemporaryDirectory(prefix="fidtune-submit-") as folder:
        (Path(folder) / FILE).write_text(study_file.text, encoding="utf-8")
        try:
            job = client.submit_job(
                entrypoint=f"python -m study run {FILE} --storage {where}",
                runtime_env={"working_dir": folder},
                # The dashboard's list of jobs shows the name beside the id.
                metadata={"study": study_file.study.name, "job_name": study_file.study.name},
            )
        except (OSError, RuntimeError, ValueError) as error:
            raise UserError(f"{address} did not take the job: {_line(error)}") from None
    return str(job)


def follow_job(address: str, job: str, show: Callable[[str], None]) -> bool:
    """Show a job's log until it ends; answers whether it succeeded.

    Args:
        address: The dashboard.
        job: The job's id.
        show: Called with each piece of the log.

    Raises:
        UserError: The connection was lost. The job goes on without us.
    """
    client = _client(address)
    shown = False

    async def follow() -> None:
        nonlocal shown
        async for text in client.tail_job_logs(job):
            shown = True
            show(text)

    try:
        asyncio.run(follow())
        while not (info := client.get_job_info(job)).status.is_terminal():
            time.sleep(0.2)  # the log ends a moment before the job does
    except (OSError, RuntimeError, aiohttp.ClientError) as error:
        raise UserError(f"lost {address}, where {job} may still run: {_line(error)}") from None
    succeeded = bool(info.status == JobStatus.SUCCEEDED)
    if not succeeded and not shown:  # it never came to a log of its own
        show(f"{info.message or info.status}\n")
    return succeeded


def _client(address: str) -> JobSubmissionClient:
    if not address.startswith(("http://", "https://")):
        raise UserError(f"--address {address}: must be the dashboard's, as http://HOST:8265")
    try:
        urllib.request.urlopen(f"{address.rstrip('/')}/api/version", timeout=ANSWER_SECONDS).close()
    except urllib.error.HTTPError:
        pass  # somebody is there, and Ray's client finds out who
    except http.client.HTTPException:
        raise UserError(f"what answers at {address} is no Ray dashboard") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(f"no Ray dashboard answers at {address}: {_line(reason)}") from None
    for name in ("dashboard_sdk", "job.sdk"):
        logging.getLogger(f"ray.dashboard.modules.{name}").setLevel(logging.WARNING)
    logging.getLogger("ray._private.runtime_env.packaging").setLevel(logging.WARNING)
    try:
        return JobSubmissionClient(address)
    except AuthenticationError:
        raise refusal(address) from None
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f"no Ray dashboard answers at {address}: {_line(error)}") from None


def _line(error: object) -> str:
    return " ".join(str(error).split())[:300]
