// The text of an ASN.1 time as RFC 5280 section 4.1.2.5 permits it: `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`.

const UTC_TIME = /^\d{2}(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/;
const GENERALIZED_TIME = /^\d{4}(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})Z$/;

/** Whether `content` is a time to the second in UTC, with every field in its range. */
export function isTimeText(content: Uint8Array, form: "utc" | "generalized"): boolean {
  const fields = (form === "utc" ? UTC_TIME : GENERALIZED_TIME).exec(
    String.fromCharCode(...content.subarray(0, 16)),
  );
  if (fields === null) return false;
  const [month = 0, day = 0, hour = 0, minute = 0, second = 0] = fields.slice(1).map(Number);
  return (
    month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour <= 23 && minute <= 59 && second <= 59
  );
}
