/** A worker child's own side of its thread: the beacon, the line to its creator, leaving. */

import process from "node:process";
import { parentPort, workerData } from "node:worker_threads";
import { requestWebLock } from "./web_lock.ts";
import { EARLY_MESSAGES } from "./worker.ts";

let releaseBeacon: (() => void) | undefined;

/** Takes the Web Lock that makes this thread killable. Before any module of the user is loaded. */
export function lightBeacon(): Promise<void> {
  return new Promise((lit) => {
    requestWebLock(workerData.beacon as string, () => {
      lit();
      return new Promise<void>((release) => releaseBeacon = release);
    });
  });
}

/** Gives the beacon up, after which the thread ends by itself as soon as nothing is left to do. */
export function leaveWhenIdle(): void {
  parentPort!.unref();
  releaseBeacon!();
}

/** Sends a message to the creator. */
export function postToCreator(message: { kind: string }, transfer: Transferable[] = []): void {
  parentPort!.postMessage(message, transfer as never);
}

/** Receives the messages of the creator, those first that came before anybody listened. */
export function onCreatorMessage(receive: (message: { kind: string }) => void): void {
  type Early = { kind: string }[] & { keep: (message: { kind: string }) => void };
  const early = (globalThis as unknown as Record<symbol, Early>)[Symbol.for(EARLY_MESSAGES)]!;
  parentPort!.off("message", early.keep);
  parentPort!.on("message", receive);
  early.forEach(receive);
}

/** Makes the globals of a worker what a module written for the main thread expects. */
export function dressGlobals(): void {
  (globalThis as { self?: unknown }).self ??= globalThis;
}

/** Calls `last` when this thread ends in an orderly way, with its exit code. Nothing async can follow. */
export function onThreadExit(last: (code: number) => void): void {
  process.on("exit", (code) => last(Number(code)));
}

/** Sets the exit code that the thread gets when it ends by itself. */
export function setThreadExitCode(code: number): void {
  process.exitCode = code;
}
