// What the test tells a client (one JSON argument), and what the two say to each other.
import { createInterface } from "node:readline";

export const told = JSON.parse(process.argv[2]);

/** Send the person to `url`; the address that the browser came back to. */
export async function consent(url) {
  process.stdout.write(`${JSON.stringify({ url: url.href ?? url })}\n`);
  for await (const line of createInterface({ input: process.stdin })) return new URL(line);
  throw new Error("the browser never came back");
}

/** What the flow ended with. */
export function report(seen) {
  process.stdout.write(`${JSON.stringify(seen)}\n`);
}

/** The private key of private_key_jwt, ES256. */
export async function privateKey() {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const key = await crypto.subtle.importKey("jwk", told.jwk, algorithm, false, ["sign"]);
  return { key, kid: told.jwk.kid };
}
