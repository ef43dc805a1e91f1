"""The operations of AWS Batch that are built: each is translated, carried out by its use case, and translated back."""

from longshore.api.aws.batch.translate import (
    consumables,
    definitions,
    environments,
    jobs,
    policies,
    queues,
    quota_shares,
    services,
    snapshots,
    submissions,
)
from longshore.api.aws.batch.wire import requests as req
from longshore.api.aws.batch.wire import responses as res
from longshore.api.aws.exchange import Handlers
from longshore.service.caller import Caller
from longshore.service.named import NamedQuery
from longshore.service.requests import cancellation, termination
from longshore.service.services import Services
from longshore.service.submit import Submission


def build_handlers(services: Services) -> Handlers:
    """Handlers over `services`, by operation; operations that are not among them are not built."""
    batch = BatchHandlers(services)
    return {
        "CancelJob": batch.cancel_job,
        "CancelJobs": batch.cancel_jobs,
        "CreateComputeEnvironment": batch.create_compute_environment,
        "CreateConsumableResource": batch.create_consumable_resource,
        "CreateJobQueue": batch.create_job_queue,
        "CreateQuotaShare": batch.create_quota_share,
        "CreateSchedulingPolicy": batch.create_scheduling_policy,
        "CreateServiceEnvironment": batch.create_service_environment,
        "DeleteComputeEnvironment": batch.delete_compute_environment,
        "DeleteConsumableResource": batch.delete_consumable_resource,
        "DeleteJobQueue": batch.delete_job_queue,
        "DeleteQuotaShare": batch.delete_quota_share,
        "DeleteSchedulingPolicy": batch.delete_scheduling_policy,
        "DeleteServiceEnvironment": batch.delete_service_environment,
        "DeregisterJobDefinition": batch.deregister_job_definition,
        "DescribeComputeEnvironments": batch.describe_compute_environments,
        "DescribeConsumableResource": batch.describe_consumable_resource,
        "DescribeJobDefinitions": batch.describe_job_definitions,
        "DescribeJobQueues": batch.describe_job_queues,
        "DescribeJobs": batch.describe_jobs,
        "DescribeQuotaShare": batch.describe_quota_share,
        "DescribeSchedulingPolicies": batch.describe_scheduling_policies,
        "DescribeServiceEnvironments": batch.describe_service_environments,
        "DescribeServiceJob": batch.describe_service_job,
        "GetJobQueueSnapshot": batch.get_job_queue_snapshot,
        "ListConsumableResources": batch.list_consumable_resources,
        "ListJobs": batch.list_jobs,
        "ListJobsByConsumableResource": batch.list_jobs_by_consumable_resource,
        "ListQuotaShares": batch.list_quota_shares,
        "ListSchedulingPolicies": batch.list_scheduling_policies,
        "ListServiceJobs": batch.list_service_jobs,
        "ListTagsForResource": batch.list_tags_for_resource,
        "RegisterJobDefinition": batch.register_job_definition,
        "SubmitJob": batch.submit_job,
        "SubmitServiceJob": batch.submit_service_job,
        "TagResource": batch.tag_resource,
        "TerminateJob": batch.terminate_job,
        "TerminateJobs": batch.terminate_jobs,
        "TerminateServiceJob": batch.terminate_service_job,
        "TerminateServiceJobs": batch.terminate_service_jobs,
        "UntagResource": batch.untag_resource,
        "UpdateComputeEnvironment": batch.update_compute_environment,
        "UpdateConsumableResource": batch.update_consumable_resource,
        "UpdateJobQueue": batch.update_job_queue,
        "UpdateQuotaShare": batch.update_quota_share,
        "UpdateSchedulingPolicy": batch.update_scheduling_policy,
        "UpdateServiceEnvironment": batch.update_service_environment,
        "UpdateServiceJob": batch.update_service_job,
    }


def authorise_override(caller: Caller, submission: Submission) -> None:
    """What an own override changes is for those to say who may say what a definition is. Raises AccessDenied."""
    if submission.own_override is not None:
        caller.authorise("batch:RegisterJobDefinition")


class BatchHandlers:
    """One method for each operation, by its name in snake case."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def register_job_definition(
        self, caller: Caller, request: req.RegisterJobDefinitionRequest
    ) -> res.RegisterJobDefinitionResponse:
        draft = definitions.read_draft(request)
        definition = await self._services.definitions.register(caller.scope, draft)
        return definitions.render_registration(definition)

    async def describe_job_definitions(
        self, caller: Caller, request: req.DescribeJobDefinitionsRequest
    ) -> res.DescribeJobDefinitionsResponse:
        query = definitions.read_query(request)
        page = await self._services.definitions.describe(caller.scope, query)
        return definitions.render_definitions(page)

    async def deregister_job_definition(self, caller: Caller, request: req.DeregisterJobDefinitionRequest) -> None:
        await self._services.definitions.deregister(caller.scope, request.job_definition)

    async def create_compute_environment(
        self, caller: Caller, request: req.CreateComputeEnvironmentRequest
    ) -> res.CreateComputeEnvironmentResponse:
        draft = environments.read_draft(request)
        environment = await self._services.environments.create(caller.scope, draft)
        return environments.render_creation(environment)

    async def describe_compute_environments(
        self, caller: Caller, request: req.DescribeComputeEnvironmentsRequest
    ) -> res.DescribeComputeEnvironmentsResponse:
        names, size, token = request.compute_environments, request.max_results, request.next_token
        query = NamedQuery(names=names, max_results=size, next_token=token)
        return environments.render_environments(await self._services.environments.describe(caller.scope, query))

    async def update_compute_environment(
        self, caller: Caller, request: req.UpdateComputeEnvironmentRequest
    ) -> res.UpdateComputeEnvironmentResponse:
        changes = environments.read_changes(request)
        environment = await self._services.environments.update(
            caller.scope, request.compute_environment, state=request.state, document=changes
        )
        return environments.render_update(environment)

    async def delete_compute_environment(self, caller: Caller, request: req.DeleteComputeEnvironmentRequest) -> None:
        await self._services.environments.delete(caller.scope, request.compute_environment)

    async def create_job_queue(self, caller: Caller, request: req.CreateJobQueueRequest) -> res.CreateJobQueueResponse:
        draft = queues.read_draft(request)
        queue = await self._services.queues.create(caller.scope, draft)
        return queues.render_creation(queue)

    async def describe_job_queues(
        self, caller: Caller, request: req.DescribeJobQueuesRequest
    ) -> res.DescribeJobQueuesResponse:
        names, size, token = request.job_queues, request.max_results, request.next_token
        query = NamedQuery(names=names, max_results=size, next_token=token)
        return queues.render_queues(await self._services.queues.describe(caller.scope, query))

    async def update_job_queue(self, caller: Caller, request: req.UpdateJobQueueRequest) -> res.UpdateJobQueueResponse:
        changes = queues.read_changes(request)
        queue = await self._services.queues.update(caller.scope, request.job_queue, changes)
        return queues.render_update(queue)

    async def delete_job_queue(self, caller: Caller, request: req.DeleteJobQueueRequest) -> None:
        await self._services.queues.delete(caller.scope, request.job_queue)

    async def create_quota_share(
        self, caller: Caller, request: req.CreateQuotaShareRequest
    ) -> res.CreateQuotaShareResponse:
        share = await self._services.quota_shares.create(caller.scope, quota_shares.read_draft(request))
        return quota_shares.render_creation(share)

    async def describe_quota_share(
        self, caller: Caller, request: req.DescribeQuotaShareRequest
    ) -> res.DescribeQuotaShareResponse:
        share = await self._services.quota_shares.describe(caller.scope, request.quota_share_arn)
        return quota_shares.render_description(share)

    async def list_quota_shares(
        self, caller: Caller, request: req.ListQuotaSharesRequest
    ) -> res.ListQuotaSharesResponse:
        size, token = request.max_results, request.next_token
        page = await self._services.quota_shares.list(
            caller.scope, request.job_queue, max_results=size, next_token=token
        )
        return quota_shares.render_shares(page)

    async def update_quota_share(
        self, caller: Caller, request: req.UpdateQuotaShareRequest
    ) -> res.UpdateQuotaShareResponse:
        changes = quota_shares.read_changes(request)
        share = await self._services.quota_shares.update(caller.scope, request.quota_share_arn, changes)
        return quota_shares.render_update(share)

    async def delete_quota_share(self, caller: Caller, request: req.DeleteQuotaShareRequest) -> None:
        await self._services.quota_shares.delete(caller.scope, request.quota_share_arn)

    async def create_scheduling_policy(
        self, caller: Caller, request: req.CreateSchedulingPolicyRequest
    ) -> res.CreateSchedulingPolicyResponse:
        policy = await self._services.policies.create(caller.scope, policies.read_draft(request))
        return policies.render_creation(policy)

    async def describe_scheduling_policies(
        self, caller: Caller, request: req.DescribeSchedulingPoliciesRequest
    ) -> res.DescribeSchedulingPoliciesResponse:
        return policies.render_policies(await self._services.policies.describe(caller.scope, request.arns))

    async def list_scheduling_policies(
        self, caller: Caller, request: req.ListSchedulingPoliciesRequest
    ) -> res.ListSchedulingPoliciesResponse:
        page = await self._services.policies.list(
            caller.scope, max_results=request.max_results, next_token=request.next_token
        )
        return policies.render_arns(page)

    async def update_scheduling_policy(self, caller: Caller, request: req.UpdateSchedulingPolicyRequest) -> None:
        await self._services.policies.update(
            caller.scope,
            request.arn,
            policies.read_fairshare(request.fairshare_policy),
            policies.read_quota_share(request.quota_share_policy),
        )

    async def delete_scheduling_policy(self, caller: Caller, request: req.DeleteSchedulingPolicyRequest) -> None:
        await self._services.policies.delete(caller.scope, request.arn)

    async def get_job_queue_snapshot(
        self, caller: Caller, request: req.GetJobQueueSnapshotRequest
    ) -> res.GetJobQueueSnapshotResponse:
        return snapshots.render_snapshot(await self._services.snapshots.take(caller.scope, request.job_queue))

    async def create_consumable_resource(
        self, caller: Caller, request: req.CreateConsumableResourceRequest
    ) -> res.CreateConsumableResourceResponse:
        resource = await self._services.consumables.create(caller.scope, consumables.read_draft(request))
        return consumables.render_creation(resource)

    async def describe_consumable_resource(
        self, caller: Caller, request: req.DescribeConsumableResourceRequest
    ) -> res.DescribeConsumableResourceResponse:
        view = await self._services.consumables.describe(caller.scope, request.consumable_resource)
        return consumables.render_description(view)

    async def list_consumable_resources(
        self, caller: Caller, request: req.ListConsumableResourcesRequest
    ) -> res.ListConsumableResourcesResponse:
        page = await self._services.consumables.list(
            caller.scope,
            consumables.read_filters(request.filters),
            max_results=request.max_results,
            next_token=request.next_token,
        )
        return consumables.render_resources(page)

    async def list_jobs_by_consumable_resource(
        self, caller: Caller, request: req.ListJobsByConsumableResourceRequest
    ) -> res.ListJobsByConsumableResourceResponse:
        page = await self._services.consumables.list_jobs(caller.scope, consumables.read_query(request))
        return consumables.render_jobs(page)

    async def update_consumable_resource(
        self, caller: Caller, request: req.UpdateConsumableResourceRequest
    ) -> res.UpdateConsumableResourceResponse:
        resource = await self._services.consumables.update(
            caller.scope, request.consumable_resource, consumables.read_update(request)
        )
        return consumables.render_update(resource)

    async def delete_consumable_resource(self, caller: Caller, request: req.DeleteConsumableResourceRequest) -> None:
        await self._services.consumables.delete(caller.scope, request.consumable_resource)

    async def submit_job(self, caller: Caller, request: req.SubmitJobRequest) -> res.SubmitJobResponse:
        scope = caller.scope
        submission = submissions.read_submission(request, caller.client_token)
        authorise_override(caller, submission)
        job_id = await self._services.submissions.submit(scope, submission)
        return submissions.render_submission(scope, request.job_name, job_id)

    async def describe_jobs(self, caller: Caller, request: req.DescribeJobsRequest) -> res.DescribeJobsResponse:
        views = await self._services.descriptions.describe(caller.scope, request.jobs)
        return res.DescribeJobsResponse(jobs=[jobs.render_job(view) for view in views])

    async def list_jobs(self, caller: Caller, request: req.ListJobsRequest) -> res.ListJobsResponse:
        query = jobs.read_query(request)
        page = await self._services.descriptions.list(caller.scope, query)
        return jobs.render_summaries(page)

    async def cancel_job(self, caller: Caller, request: req.CancelJobRequest) -> None:
        await self._services.requests.request(caller.scope, request.job_id, cancellation(request.reason))

    async def cancel_jobs(self, caller: Caller, request: req.CancelJobsRequest) -> res.CancelJobsResponse:
        wish = cancellation(request.reason)
        outcome = await self._services.requests.request_many(caller.scope, request.jobs, wish)
        return submissions.render_cancellations(outcome)

    async def terminate_job(self, caller: Caller, request: req.TerminateJobRequest) -> None:
        await self._services.requests.request(caller.scope, request.job_id, termination(request.reason))

    async def terminate_jobs(self, caller: Caller, request: req.TerminateJobsRequest) -> res.TerminateJobsResponse:
        wish = termination(request.reason)
        outcome = await self._services.requests.request_many(caller.scope, request.jobs, wish)
        return submissions.render_terminations(outcome)

    async def create_service_environment(
        self, caller: Caller, request: req.CreateServiceEnvironmentRequest
    ) -> res.CreateServiceEnvironmentResponse:
        environment = await self._services.service_environments.create(caller.scope, services.read_draft(request))
        return services.render_creation(environment)

    async def describe_service_environments(
        self, caller: Caller, request: req.DescribeServiceEnvironmentsRequest
    ) -> res.DescribeServiceEnvironmentsResponse:
        names, size, token = request.service_environments, request.max_results, request.next_token
        query = NamedQuery(names=names, max_results=size, next_token=token)
        return services.render_environments(await self._services.service_environments.describe(caller.scope, query))

    async def update_service_environment(
        self, caller: Caller, request: req.UpdateServiceEnvironmentRequest
    ) -> res.UpdateServiceEnvironmentResponse:
        environment = await self._services.service_environments.update(
            caller.scope,
            request.service_environment,
            state=request.state,
            capacity_limits=services.read_limits(request),
        )
        return services.render_update(environment)

    async def delete_service_environment(self, caller: Caller, request: req.DeleteServiceEnvironmentRequest) -> None:
        await self._services.service_environments.delete(caller.scope, request.service_environment)

    async def submit_service_job(
        self, caller: Caller, request: req.SubmitServiceJobRequest
    ) -> res.SubmitServiceJobResponse:
        job_id = await self._services.service_jobs.submit(caller.scope, services.read_submission(request))
        return services.render_submission(caller.scope, request.job_name, job_id)

    async def describe_service_job(
        self, caller: Caller, request: req.DescribeServiceJobRequest
    ) -> res.DescribeServiceJobResponse:
        return services.render_job(await self._services.service_jobs.describe(caller.scope, request.job_id))

    async def list_service_jobs(
        self, caller: Caller, request: req.ListServiceJobsRequest
    ) -> res.ListServiceJobsResponse:
        page = await self._services.service_jobs.list(caller.scope, services.read_query(request))
        return services.render_summaries(page)

    async def update_service_job(
        self, caller: Caller, request: req.UpdateServiceJobRequest
    ) -> res.UpdateServiceJobResponse:
        job = await self._services.service_jobs.update(
            caller.scope, request.job_id, scheduling_priority=request.scheduling_priority
        )
        return services.render_job_update(job)

    async def terminate_service_job(self, caller: Caller, request: req.TerminateServiceJobRequest) -> None:
        wish = termination(request.reason)
        await self._services.service_requests.request(caller.scope, request.job_id, wish)

    async def terminate_service_jobs(
        self, caller: Caller, request: req.TerminateServiceJobsRequest
    ) -> res.TerminateServiceJobsResponse:
        wish = termination(request.reason)
        outcome = await self._services.service_requests.request_many(caller.scope, request.jobs, wish)
        return services.render_terminations(outcome)

    async def list_tags_for_resource(
        self, caller: Caller, request: req.ListTagsForResourceRequest
    ) -> res.ListTagsForResourceResponse:
        tags = await self._services.tags.list(caller.scope, request.resource_arn)
        return res.ListTagsForResourceResponse(tags=tags)

    async def tag_resource(self, caller: Caller, request: req.TagResourceRequest) -> None:
        await self._services.tags.add(caller.scope, request.resource_arn, request.tags)

    async def untag_resource(self, caller: Caller, request: req.UntagResourceRequest) -> None:
        await self._services.tags.remove(caller.scope, request.resource_arn, request.tag_keys)
