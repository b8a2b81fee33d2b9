"""ListModelInvocationJobs and all of its filters."""

import datetime

import pytest

from batches import await_end, start_job
from clients import unique
from processes import wait_until
from raw_http import send
from records import ALL

each_provider = pytest.mark.parametrize("provider", ALL, ids=str)
COUNT = 7
SECOND = datetime.timedelta(seconds=1)


@pytest.fixture(scope="module")
def series(gateway):
    """Seven finished jobs a provider, by provider, oldest first."""
    jobs = {}
    for provider in ALL:
        prefix = unique(f"series-{provider}")
        jobs[provider.name] = [
            start_job(
                gateway,
                provider,
                provider.make_input(1),
                jobName=f"{prefix}-{'odd' if number % 2 else 'even'}-{number}",
            )
            for number in range(COUNT)
        ]
    for provider in ALL:
        for job in jobs[provider.name]:
            await_end(gateway.bedrock(provider.name), job.arn)
    return jobs


@pytest.fixture
def jobs(series, provider):
    return series[provider.name]


@pytest.fixture
def prefix(jobs):
    return jobs[0].name.rsplit("-", 2)[0]


@pytest.fixture
def list_jobs(gateway, provider):
    client = gateway.bedrock(provider.name)

    def list_all(page_size=None, **filters):
        if page_size is not None:
            filters["PaginationConfig"] = {"PageSize": page_size}
        pages = client.get_paginator("list_model_invocation_jobs").paginate(
            **filters
        )
        return [job for page in pages for job in page["invocationJobSummaries"]]

    return list_all


def arns(items):
    return [item["jobArn"] for item in items]


@each_provider
def test_newest_come_first(jobs, prefix, list_jobs):
    found = list_jobs(nameContains=prefix)
    assert arns(found) == [job.arn for job in reversed(jobs)]


@each_provider
@pytest.mark.parametrize(
    ("order", "step"), [("Ascending", 1), ("Descending", -1)]
)
def test_the_order_can_be_chosen(jobs, prefix, list_jobs, order, step):
    found = list_jobs(
        nameContains=prefix, sortBy="CreationTime", sortOrder=order
    )
    assert arns(found) == [job.arn for job in jobs][::step]


@each_provider
def test_a_summary_has_every_member_of_a_job(
    gateway, jobs, prefix, list_jobs, provider
):
    summary = list_jobs(nameContains=f"{prefix}-even-0")[0]
    state = gateway.bedrock(provider.name).get_model_invocation_job(
        jobIdentifier=jobs[0].arn
    )
    state.pop("ResponseMetadata")
    assert summary == state
    assert summary["status"] == "Completed"
    assert summary["successRecordCount"] == 1


@each_provider
@pytest.mark.parametrize("size", [1, 2, 3, COUNT, 1000])
def test_pages_give_every_job_once(jobs, prefix, list_jobs, size):
    found = list_jobs(page_size=size, nameContains=prefix)
    assert arns(found) == [job.arn for job in reversed(jobs)]


@each_provider
def test_a_page_is_no_longer_than_asked(gateway, series, provider):
    client = gateway.bedrock(provider.name)
    page = client.list_model_invocation_jobs(maxResults=2)
    assert len(page["invocationJobSummaries"]) == 2
    assert page["nextToken"]


@each_provider
def test_part_of_a_name(jobs, prefix, list_jobs):
    found = list_jobs(nameContains=f"{prefix}-odd")
    assert {job["jobName"] for job in found} == {
        job.name for job in jobs if "-odd-" in job.name
    }
    assert list_jobs(nameContains=unique("no-such-name")) == []


@each_provider
def test_a_status(gateway, jobs, prefix, list_jobs):
    found = list_jobs(nameContains=prefix, statusEquals="Completed")
    assert len(found) == COUNT
    for status in ("Submitted", "InProgress", "Failed", "Stopped", "Expired"):
        assert list_jobs(nameContains=prefix, statusEquals=status) == []


@each_provider
def test_a_running_job_moves_between_statuses(slow_gateway, provider):
    job = start_job(slow_gateway, provider)
    client = slow_gateway.bedrock(provider.name)

    def statuses():
        return {
            status
            for status in ("InProgress", "Completed")
            if job.arn in arns(
                client.list_model_invocation_jobs(
                    statusEquals=status, nameContains=job.name
                )["invocationJobSummaries"]
            )
        }

    wait_until("InProgress", lambda: statuses() == {"InProgress"})
    wait_until("Completed", lambda: statuses() == {"Completed"})


@each_provider
def test_submit_times(gateway, jobs, prefix, list_jobs, provider):
    times = {
        job["jobArn"]: job["submitTime"]
        for job in list_jobs(nameContains=prefix)
    }
    middle = times[jobs[COUNT // 2].arn]
    after = list_jobs(nameContains=prefix, submitTimeAfter=middle)
    before = list_jobs(nameContains=prefix, submitTimeBefore=middle)
    assert {job["jobArn"] for job in after} >= {
        arn for arn, time in times.items() if time > middle
    }
    assert all(job["submitTime"] >= middle for job in after)
    assert {job["jobArn"] for job in before} >= {
        arn for arn, time in times.items() if time < middle
    }
    assert all(job["submitTime"] <= middle for job in before)
    last = max(times.values())
    assert list_jobs(nameContains=prefix, submitTimeAfter=last + SECOND) == []


@each_provider
def test_all_filters_together(jobs, prefix, list_jobs):
    times = [job["submitTime"] for job in list_jobs(nameContains=prefix)]
    found = list_jobs(
        page_size=1,
        nameContains=f"{prefix}-even",
        statusEquals="Completed",
        submitTimeAfter=min(times) - SECOND,
        submitTimeBefore=max(times) + SECOND,
        sortBy="CreationTime",
        sortOrder="Ascending",
    )
    assert arns(found) == [job.arn for job in jobs if "-even-" in job.name]


@each_provider
def test_a_list_shows_its_own_providers_jobs_alone(series, provider, list_jobs):
    others = {
        job.arn
        for other in ALL if other is not provider
        for job in series[other.name]
    }
    assert not others & set(arns(list_jobs()))


BROKEN_QUERIES = {
    "maxResults=0": "maxResults",
    "maxResults=1001": "maxResults",
    "maxResults=many": "maxResults",
    "statusEquals=Done": "statusEquals",
    "sortBy=Name": "sortBy",
    "sortOrder=Random": "sortOrder",
    "submitTimeAfter=yesterday": "submitTimeAfter",
    "nextToken=nonsense": "nextToken",
    "nameContains=": "nameContains",
}


@each_provider
@pytest.mark.parametrize("query", list(BROKEN_QUERIES))
def test_a_broken_filter_is_refused_and_named(gateway, provider, query):
    answer = send(
        gateway.url,
        "GET",
        f"/bedrock/model-invocation-jobs?{query}",
        {"x-model-provider": provider.name},
    )
    assert answer.status == 400
    assert answer.headers["x-amzn-errortype"] == "ValidationException"
    assert BROKEN_QUERIES[query] in answer.json()["message"]
