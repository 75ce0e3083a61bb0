/** Which cooperative task of this thread is running; 0 for the thread's own. The `threading` room says so. */

let current: () => number = () => 0;

/** The number of the task that runs now. */
export function currentTask(): number {
  return current();
}

/** Names who knows. */
export function setCurrentTask(ask: () => number): void {
  current = ask;
}
