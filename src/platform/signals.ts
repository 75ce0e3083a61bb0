/** The numbers and names of signals, and the exit code of a process that one has ended. */

// In the order of their numbers, from 1.
const LINUX =
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP " +
  "TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS";
const DARWIN =
  "HUP INT QUIT ILL TRAP ABRT EMT FPE KILL BUS SEGV SYS PIPE ALRM TERM URG STOP TSTP CONT CHLD " +
  "TTIN TTOU IO XCPU XFSZ VTALRM PROF WINCH INFO USR1 USR2";

const names = (Deno.build.os === "darwin" ? DARWIN : LINUX).split(" ").map((name) => `SIG${name}`);

/** What a signal is called, if it has a name of its own. */
export function signalName(number: number): string | undefined {
  return names[number - 1];
}

/** The number of a signal. */
export function signalNumber(name: string): number | undefined {
  const at = names.indexOf(name);
  return at < 0 ? undefined : at + 1;
}

/** How a process ended: its exit code, or −N for signal N. */
export async function exitCodeOf(status: Promise<Deno.CommandStatus>): Promise<number> {
  try {
    const { code, signal } = await status;
    return signal === null ? code : 128 - code;
  } catch (error) {
    // The runtime has no name for real-time signals, and so no status for who was ended by one.
    const [, number] = /Invalid signal: (\d+)/.exec((error as Error).message) ?? [];
    if (number === undefined) throw error;
    return -number;
  }
}
