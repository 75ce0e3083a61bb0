/**
 * `openssl s_client`, as a client of an echo over TLS.
 *
 * @module
 */
import assert from "node:assert/strict";

/**
 * Connects, checks the server's certificate, which is for `localhost`, and says each text, which shall come back.
 *
 * @param port Where the server listens.
 * @param cert The certificate it shall have, as PEM text.
 */
export async function echoed(port: number, cert: string, texts: string[]): Promise<void> {
  const file = await Deno.makeTempFile({ suffix: ".pem" });
  try {
    await Deno.writeTextFile(file, cert);
    const client = new Deno.Command("openssl", {
      args: [
        ...["s_client", "-quiet", "-verify_return_error", "-verify_hostname", "localhost"],
        ...["-CAfile", file, "-connect", `127.0.0.1:${port}`],
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const writer = client.stdin.getWriter();
    const reader = client.stdout.pipeThrough(new TextDecoderStream()).getReader();
    for (const text of texts) {
      await writer.write(new TextEncoder().encode(text));
      let answer = "";
      while (answer.length < text.length) {
        const { done, value = "" } = await reader.read();
        assert.ok(!done, `openssl ended after ${JSON.stringify(answer)}`);
        answer += value;
      }
      assert.equal(answer, text);
    }
    await writer.close(); // with -quiet it goes on until it is ended
    client.kill();
    assert.equal((await reader.read()).done, true);
    await client.status;
  } finally {
    await Deno.remove(file);
  }
}
