/** Variables as the process was given them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads single variables and gathers what is wrong with them. */
export class EnvironmentReader {
  readonly problems: string[] = [];
  readonly #env: Environment;

  constructor(env: Environment) {
    this.#env = env;
  }

  problem(sentence: string): void {
    if (!this.problems.includes(sentence)) this.problems.push(sentence);
  }

  /** Trimmed; null where unset or empty, as shells cannot tell the two. */
  text(name: string): string | null {
    const value = this.#env[name]?.trim();
    return value === undefined || value === "" ? null : value;
  }

  integer(name: string, min: number, max: number): number | null {
    const text = this.text(name);
    if (text === null) return null;
    const value = Number(text);
    if (/^\d{1,10}$/.test(text) && value >= min && value <= max) return value;
    this.problem(
      `${name}=${text} is not a whole number from ${min} to ${max}.`,
    );
    return null;
  }

  flag(name: string): boolean {
    return this.oneOf(name, ["true", "false"]) === "true";
  }

  oneOf<T extends string>(name: string, choices: readonly T[]): T | null {
    const text = this.text(name);
    if (text === null) return null;
    const choice = choices.find((known) => known === text.toLowerCase());
    if (choice !== undefined) return choice;
    this.problem(`${name}=${text} is none of: ${choices.join(", ")}.`);
    return null;
  }

  url(name: string): string | null {
    const text = this.text(name);
    if (text === null) return null;
    const url = URL.canParse(text) ? new URL(text) : null;
    if (url !== null && /^https?:$/.test(url.protocol)) {
      return text.replace(/\/+$/, "");
    }
    this.problem(`${name}=${text} is not an http(s) URL.`);
    return null;
  }
}
