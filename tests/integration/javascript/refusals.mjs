// What a server that verifies requests tells the SDK for JavaScript. Prints one JSON object: what was asked, to the
// error's name and status, or to "answered". Takes the server's address and its keys as JSON: name to id and secret.
import { BatchClient, DescribeJobQueuesCommand, SubmitJobCommand } from "@aws-sdk/client-batch";

const [endpoint, keys] = [process.argv[2], JSON.parse(process.argv[3])];
const connect = ([accessKeyId, secretAccessKey], options = {}) =>
  new BatchClient({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 1,
    ...options,
  });
const ask = async (client, command = new DescribeJobQueuesCommand({})) => {
  try {
    await client.send(command);
    return "answered";
  } catch (error) {
    return [error.name, error.$metadata.httpStatusCode];
  }
};
const minutes = (count) => ({ systemClockOffset: count * 60_000 });

// The same bytes again, later and thus certainly on purpose.
async function replay() {
  const client = connect(keys.good);
  let sent;
  const note = (next) => async (args) => {
    sent ??= args.request;
    return next(args);
  };
  client.middlewareStack.add(note, { step: "finalizeRequest", priority: "low" });
  await client.send(new DescribeJobQueuesCommand({}));
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  const { host: _, ...headers } = sent.headers;
  const answer = await fetch(endpoint + sent.path, { method: sent.method, headers, body: sent.body });
  return [answer.headers.get("x-amzn-errortype"), answer.status];
}

const [goodId] = keys.good;
const seen = {
  signed: await ask(connect(keys.good)),
  unsigned: await ask(connect(keys.good, { signer: { sign: async (request) => request } })),
  wrongly: await ask(connect([goodId, "wrong"])),
  "with an unknown key": await ask(connect(["LSAKUNKNOWN", "any"])),
  "with a disabled key": await ask(connect(keys.disabled)),
  "with a key that may not": await ask(
    connect(keys.reader),
    new SubmitJobCommand({ jobName: "a", jobQueue: "q", jobDefinition: "d" }),
  ),
  "ten minutes late": await ask(connect(keys.good, minutes(-10))),
  "ten minutes early": await ask(connect(keys.good, minutes(10))),
  "ten minutes late, with one more try": await ask(connect(keys.good, { ...minutes(-10), maxAttempts: 2 })),
  "once more": await replay(),
};
console.log(JSON.stringify(seen));
