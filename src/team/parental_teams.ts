/** Teams whose members may have children, so that the end of this process waits for them as for any child. */

import { onProgramIdle } from "../platform/runtime.ts";

interface ParentalTeam {
  letGo(): void;
}

/** Those teams. When nothing is left to do here, nobody has work for idle members any more. */
class ParentalTeams {
  readonly #teams = new Set<ParentalTeam>();
  #watching = false;

  has(team: ParentalTeam): boolean {
    return this.#teams.has(team);
  }

  add(team: ParentalTeam): void {
    this.#teams.add(team);
    if (this.#watching) return;
    this.#watching = true;
    onProgramIdle(() => {
      this.letGo();
      return false;
    });
  }

  delete(team: ParentalTeam): void {
    this.#teams.delete(team);
  }

  /** Lets the idle members of all of them go. */
  letGo(): void {
    for (const team of this.#teams) team.letGo();
  }
}

/** The parental teams of this process. */
export const parentalTeams: ParentalTeams = new ParentalTeams();
