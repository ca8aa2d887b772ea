// SPDX-License-Identifier: Apache-2.0
// The peer of benches a1 and a3: machines in an array of one Node process, as such services begin. Nothing is
// durable, and one process decides all. GET /<project> takes the first idle machine, POST /release gives it back.
import express from "express";

const count = Number(process.argv[2] ?? 10_000);
const machines = Array.from({ length: count }, (_, i) => (
    { instanceId: `i-${String(i).padStart(8, "0")}`, ip: "10.0.0.1", isUsed: false, assignedProject: null }));
const app = express();
app.use(express.json());
app.post("/release", (request, response) => {
    const machine = machines.find((one) => one.instanceId === request.body.instanceId);
    if (!machine) return response.status(404).json({ error: "no such machine" });
    machine.isUsed = false;
    machine.assignedProject = null;
    response.json({ released: 1 });
});
app.get("/:projectId", (request, response) => {
    const machine = machines.find((one) => !one.isUsed);
    if (!machine) return response.status(404).json({ error: "No idle machine found" });
    machine.isUsed = true;
    machine.assignedProject = request.params.projectId;
    response.json({ ip: machine.ip, projectId: request.params.projectId, instanceId: machine.instanceId });
});
const server = app.listen(0, "127.0.0.1", () => console.log(`listening ${server.address().port}`));
