// One JSON log line as one line for people: time, level, message, then the fields.

const levelColour: Readonly<Record<string, number>> = { debug: 90, info: 36, warn: 33, error: 31 };

/** The readable form of a line, newline included; a line that is no JSON object stays as it is. */
export function prettyLine(line: string, colours: boolean): string {
  const record = parseRecord(line);
  if (record === undefined) return line;
  const { time, level, message, ...fields } = record;
  const paint = (code: number, text: string): string =>
    colours ? `\u001b[${code}m${text}\u001b[0m` : text;
  const levelName = String(level);
  const parts = [
    paint(90, String(time).slice(11, 23)),
    paint(levelColour[levelName] ?? 0, levelName.toUpperCase().padEnd(5)),
    String(message),
    ...Object.entries(fields).map(([name, value]) => paint(90, `${name}=${fieldText(value)}`)),
  ];
  return `${parts.join(" ")}\n`;
}

function parseRecord(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    // Not ours to understand: it is shown as it came.
    return undefined;
  }
}

/** Control characters never reach the terminal: JSON escapes the C0 set, the rest is escaped here. */
function fieldText(value: unknown): string {
  if (typeof value === "string" && /^[\w.:/@+-]+$/.test(value)) return value;
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
