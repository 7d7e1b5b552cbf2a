// What tests wait for and say through clients.

/** The next event of this type that is as wanted. */
export function next(client, type, isWanted = () => true) {
  return new Promise((resolve) => {
    const end = client.on(type, (event) => {
      if (!isWanted(event)) return;
      end();
      resolve(event);
    });
  });
}

/** Waits until the condition holds, which may change with any message. */
export async function until(client, isSo) {
  while (!isSo()) await client.once("message");
}

export const online = (client) => next(client, "status", ({ state }) => state === "online");
export const lost = (client) => next(client, "status", ({ state }) => state === "waiting");

/** Makes a room of the relay game for these clients, the first one its host. */
export async function room(host, ...guests) {
  const { roomId } = await host.request({ type: "room:create", game: "relay" });
  for (const guest of guests) await guest.request({ type: "room:join", roomId });
  return roomId;
}

export const say = (client, roomId, text) => client.request({ type: "chat:send", roomId, text });

/** Collects the texts of the chat that a client hears. */
export function listen(client) {
  const heard = [];
  client.on("chat:message", ({ text }) => heard.push(text));
  return heard;
}
