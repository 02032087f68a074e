// What both ends conclude from their two ordered lists, without another round trip.

/** The first entry of the dialler's list that the listener also has. */
export function firstCommon(
  dialler: readonly string[],
  listener: readonly string[],
): string | undefined {
  return dialler.find((entry) => listener.includes(entry));
}

/** The same, told which of the two lists is our own. */
export function negotiate(
  role: "initiator" | "responder",
  own: readonly string[],
  remote: readonly string[],
): string | undefined {
  return role === "initiator" ? firstCommon(own, remote) : firstCommon(remote, own);
}
