/** What a worker of poolifier runs. */
import { ThreadWorker } from "poolifier-web-worker";

export default new ThreadWorker<number, number>((n = 0) => n + 1);
