"""Submitting a study to a Ray cluster through its Jobs API."""

from __future__ import annotations

import asyncio
import shlex
import tempfile
from collections.abc import Callable
from pathlib import Path

from ray.job_submission import JobStatus, JobSubmissionClient

from study.spec import StudyFile, UserError

FILE = "study.yaml"


def submit_study(study_file: StudyFile, address: str, storage: str | None) -> str:
    """Hand a study to the cluster, to run there; answers the job's id.

    The study file goes along, overrides applied. The cluster has fidtune installed.

    Args:
        study_file: The study.
        address: The dashboard, `http://HOST:8265`. A token, if the cluster asks for one, comes from
            RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token, with RAY_AUTH_MODE=token.
        storage: Where the cluster writes results; None leaves it to the cluster's STUDY_STORAGE.

    Raises:
        UserError: Nobody answers there, or it refuses us.
    """
    name = study_file.study.name
    command = ["python", "-m", "study", "run", FILE]
    if storage is not None:
        command += ["--storage", storage]
    client = _client(address)
    with tempfile.TemporaryDirectory(prefix="fidtune-submit-") as folder:
        (Path(folder) / FILE).write_text(study_file.text, encoding="utf-8")
        try:
            job = client.submit_job(
                entrypoint=shlex.join(command),
                runtime_env={"working_dir": folder},
                metadata={"study": name},
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UserError(f"{address} did not take the job: {_line(error)}") from None
    return str(job)


def follow_job(address: str, job: str, show: Callable[[str], None]) -> bool:
    """Show a job's log until it ends; answers whether it succeeded.

    Args:
        show: Called with each piece of the log.
    """
    client = _client(address)

    async def follow() -> None:
        async for text in client.tail_job_logs(job):
            show(text)

    asyncio.run(follow())
    return bool(client.get_job_status(job) == JobStatus.SUCCEEDED)


def _client(address: str) -> JobSubmissionClient:
    if not address.startswith(("http://", "https://")):
        raise UserError(f"--address {address}: must be the dashboard's, as http://HOST:8265")
    try:
        return JobSubmissionClient(address)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UserError(f"no Ray dashboard answers at {address}: {_line(error)}") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
