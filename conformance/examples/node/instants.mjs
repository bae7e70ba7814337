// Instants. Date ends at milliseconds, so an instant is a text of fixed shape: seconds, a dot, every digit of the fraction.
// Two of them compare as their texts do.

const SPELLING =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(?:[Zz]|([+-])(\d\d):?(\d\d)(?::(\d\d))?)?$/;
const YEAR_ONE = 62_135_596_800; // seconds from the year 1 to 1970
const DAY = 86_400; // an offset may reach back behind the first day

const textOf = (seconds, fraction) =>
  `${String(seconds + YEAR_ONE + DAY).padStart(12, "0")}.${fraction.replace(/0+$/, "")}`;

/** Return the instant that an ISO 8601 text names, null when it names none. Without an offset it is UTC. */
export function instantOf(text) {
  const [, year, month, day, hour, minute, second = "0", fraction = "", sign, hours = "0", minutes = "0", seconds = "0"] =
    SPELLING.exec(text) ?? [];
  if (year === undefined || hour > 23 || minute > 59 || second > 59 || hours > 23 || minutes > 59) return null;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), month - 1, Number(day)); // Date.UTC takes the year 50 for 1950
  if (year < 1 || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== Number(day)) return null;
  const offset = (sign === "-" ? -1 : 1) * (hours * 3600 + minutes * 60 + Number(seconds));
  return textOf(date.getTime() / 1000 + hour * 3600 + minute * 60 + Number(second) - offset, fraction);
}

/** Return the microsecond, counted from 1970, that `instant` lies in. */
export function microsecondOf(instant) {
  const [seconds, fraction] = instant.split(".");
  return BigInt(seconds - YEAR_ONE - DAY) * 1_000_000n + BigInt(fraction.slice(0, 6).padEnd(6, "0"));
}

/** Return the spelling that writers use for a microsecond: UTC, `+00:00`, no fraction when it is zero. */
export function spell(microsecond) {
  const seconds = new Date(Number(microsecond / 1_000_000n) * 1000).toISOString().slice(0, 19);
  const fraction = String(microsecond % 1_000_000n).padStart(6, "0");
  return `${seconds}${fraction === "000000" ? "" : `.${fraction}`}+00:00`;
}
