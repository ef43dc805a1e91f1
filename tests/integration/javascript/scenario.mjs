// One walk through AWS Batch with the SDK for JavaScript, set-up to tear-down. Prints what it saw as one JSON object.
// Takes the server's address, and the id and secret of an access key.
import {
  BatchClient,
  ClientException,
  CreateComputeEnvironmentCommand,
  CreateJobQueueCommand,
  DeleteComputeEnvironmentCommand,
  DeleteJobQueueCommand,
  DeregisterJobDefinitionCommand,
  DescribeComputeEnvironmentsCommand,
  DescribeJobQueuesCommand,
  DescribeJobsCommand,
  ListTagsForResourceCommand,
  RegisterJobDefinitionCommand,
  SubmitJobCommand,
  TagResourceCommand,
  TerminateJobCommand,
  UntagResourceCommand,
  UpdateComputeEnvironmentCommand,
  UpdateJobQueueCommand,
  paginateListJobs,
} from "@aws-sdk/client-batch";

const client = new BatchClient({
  endpoint: process.argv[2],
  region: "us-east-1",
  credentials: { accessKeyId: process.argv[3], secretAccessKey: process.argv[4] },
  maxAttempts: 1,
});
const send = (Command, input) => client.send(new Command(input));
const seen = {};

async function eventually(what, check) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`not within a minute: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const describe = async (id) => (await send(DescribeJobsCommand, { jobs: [id] })).jobs[0];
const ended = (id) =>
  eventually("the job has ended", async () => {
    const job = await describe(id);
    return ["SUCCEEDED", "FAILED"].includes(job.status) && job;
  });
const refusal = async (Command, input) => {
  try {
    await send(Command, input);
  } catch (error) {
    return {
      isClientException: error instanceof ClientException,
      name: error.name,
      status: error.$metadata.httpStatusCode,
      message: error.message,
    };
  }
  throw new Error("it was not refused");
};

await send(CreateComputeEnvironmentCommand, {
  computeEnvironmentName: "js",
  type: "UNMANAGED",
  tags: { "longshore:engine": "process" },
});
await eventually("the environment is valid", async () => {
  const { computeEnvironments } = await send(DescribeComputeEnvironmentsCommand, { computeEnvironments: ["js"] });
  return computeEnvironments[0].status === "VALID";
});
const queue = await send(CreateJobQueueCommand, {
  jobQueueName: "js",
  priority: 1,
  computeEnvironmentOrder: [{ order: 1, computeEnvironment: "js" }],
  tags: { team: "a" },
});
await eventually("the queue is valid", async () => {
  const { jobQueues } = await send(DescribeJobQueuesCommand, { jobQueues: [queue.jobQueueArn] });
  return jobQueues[0].status === "VALID";
});

const register = (name, script, rest = {}) =>
  send(RegisterJobDefinitionCommand, {
    jobDefinitionName: name,
    type: "container",
    containerProperties: {
      image: "busybox",
      command: ["sh", "-c", script],
      resourceRequirements: [
        { type: "VCPU", value: "1" },
        { type: "MEMORY", value: "32" },
      ],
    },
    ...rest,
  });
const submit = async (jobName, definition, rest = {}) =>
  (await send(SubmitJobCommand, { jobName, jobQueue: "js", jobDefinition: definition, ...rest })).jobId;

const exits = await register("exits", 'exit "$CODE"', { retryStrategy: { attempts: 2 } });
const sleeps = await register("sleeps", "exec sleep 100");
const array = await submit("array", exits.jobDefinitionArn, {
  arrayProperties: { size: 3 },
  containerOverrides: { environment: [{ name: "CODE", value: "0" }] },
});
const failing = await submit("failing", "exits", {
  dependsOn: [{ jobId: array }],
  containerOverrides: { environment: [{ name: "CODE", value: "7" }] },
});
const failed = await ended(failing);
seen.failed = {
  status: failed.status,
  reason: failed.statusReason,
  exitCodes: failed.attempts.map((attempt) => attempt.container.exitCode),
  isInOrder: failed.createdAt <= failed.startedAt && failed.startedAt <= failed.stoppedAt,
};
seen.array = (await describe(array)).arrayProperties.statusSummary;

const pages = [];
for await (const page of paginateListJobs({ client, pageSize: 2 }, { arrayJobId: array, jobStatus: "SUCCEEDED" })) {
  pages.push(page.jobSummaryList.map((job) => job.arrayProperties.index));
}
seen.pages = pages;

const running = await submit("running", "sleeps:1");
await eventually("it runs", async () => (await describe(running)).status === "RUNNING");
await send(TerminateJobCommand, { jobId: running, reason: "enough" });
const terminated = await ended(running);
seen.terminated = { status: terminated.status, reason: terminated.statusReason, is: terminated.isTerminated };

await send(TagResourceCommand, { resourceArn: queue.jobQueueArn, tags: { "a b": "c/d" } });
await send(UntagResourceCommand, { resourceArn: queue.jobQueueArn, tagKeys: ["team"] });
seen.tags = (await send(ListTagsForResourceCommand, { resourceArn: queue.jobQueueArn })).tags;

seen.refusals = [
  await refusal(SubmitJobCommand, { jobName: "x", jobQueue: "none", jobDefinition: "exits" }),
  await refusal(SubmitJobCommand, { jobName: "not a name", jobQueue: "js", jobDefinition: "exits" }),
  await refusal(DeleteComputeEnvironmentCommand, { computeEnvironment: "js" }),
];

await send(UpdateJobQueueCommand, { jobQueue: "js", state: "DISABLED" });
await send(DeleteJobQueueCommand, { jobQueue: "js" });
await eventually("the queue goes", async () => {
  const { jobQueues } = await send(DescribeJobQueuesCommand, { jobQueues: ["js"] });
  return jobQueues.length === 0;
});
await send(UpdateComputeEnvironmentCommand, { computeEnvironment: "js", state: "DISABLED" });
await send(DeleteComputeEnvironmentCommand, { computeEnvironment: "js" });
for (const { jobDefinitionArn } of [exits, sleeps]) {
  await send(DeregisterJobDefinitionCommand, { jobDefinition: jobDefinitionArn });
}
seen.environments = (await send(DescribeComputeEnvironmentsCommand, {})).computeEnvironments;
console.log(JSON.stringify(seen));
