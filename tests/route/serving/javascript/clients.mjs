// Asks a gateway with the JavaScript clients, and prints what they made of its answers as JSON.

import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const { GATEWAY_URL: url, GATEWAY_KEY: apiKey } = process.env;
const chatgpt = new OpenAI({ baseURL: `${url}/v1`, apiKey });
const claude = new Anthropic({ baseURL: url, apiKey });
const messages = [{ role: "user", content: "hi there" }];
const small = { model: "gpt-5-mini", messages };
const haiku = { model: "claude-haiku-4-5", max_tokens: 50, messages };

async function chat() {
  return (await chatgpt.chat.completions.create(small)).choices[0].message.content;
}

async function chatStream() {
  let text = "";
  let usages = 0;
  for await (const chunk of await chatgpt.chat.completions.create({ ...small, stream: true })) {
    text += chunk.choices[0].delta.content ?? "";
    usages += chunk.usage ? 1 : 0;
  }
  return { text, usages };
}

async function chatStreamWithUsage() {
  const options = { stream: true, stream_options: { include_usage: true } };
  let usage = null;
  for await (const chunk of await chatgpt.chat.completions.create({ ...small, ...options })) {
    usage = chunk.usage ?? usage;
  }
  return usage.completion_tokens;
}

async function aborted() {
  const leaving = new AbortController();
  const stream = await chatgpt.chat.completions.create(
    { ...small, stream: true, messages: [{ role: "user", content: "slowly" }] },
    { signal: leaving.signal },
  );
  let seen = 0;
  for await (const _ of stream) {
    seen += 1;
    leaving.abort();
  }
  return seen;
}

async function message() {
  return (await claude.messages.create(haiku)).content[0].text;
}

async function messageStream() {
  const stream = claude.messages.stream(haiku);
  const last = await stream.finalMessage();
  return { text: last.content[0].text, tokens: last.usage.output_tokens };
}

async function models() {
  const found = [];
  for await (const model of chatgpt.models.list()) found.push(model.id);
  return found;
}

async function refused() {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "cb_wrong" });
  const started = Date.now();
  try {
    await client.chat.completions.create(small);
  } catch (error) {
    return { name: error.constructor.name, code: error.code, quick: Date.now() - started < 2000 };
  }
  return null;
}

async function refusedByAnthropic() {
  const client = new Anthropic({ baseURL: url, apiKey: "cb_wrong" });
  try {
    await client.messages.create(haiku);
  } catch (error) {
    return { name: error.constructor.name, type: error.error.error.type };
  }
  return null;
}

const asks = {
  chat,
  chatStream,
  chatStreamWithUsage,
  aborted,
  message,
  messageStream,
  models,
  refused,
  refusedByAnthropic,
};
const found = {};
for (const [name, ask] of Object.entries(asks)) {
  try {
    found[name] = await ask();
  } catch (error) {
    found[name] = `${error.constructor.name}: ${error.message}`;
  }
}
console.log(JSON.stringify(found));
