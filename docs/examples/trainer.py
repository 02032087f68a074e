#!/usr/bin/env python3
"""A local trainer in plain Python: trainer.py SOCKET SEED. The protocol is explained in docs/trainers.md.

The model is a network of 2 inputs, 8 units and 1 output that learns which points of a square lie in a ring. Each node
has points of its own; no point leaves the node. The task: docs/examples/ring.yaml."""
import http.client, json, math, random, socket, struct, sys

SOCKET, SEED = sys.argv[1], int(sys.argv[2])

def call(method, path, body=b""):
    """One request over the daemon's Unix socket: status and body of the answer."""
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(SOCKET)
    connection.request(method, "/v1/trainer/" + path, body)
    answer = connection.getresponse()
    return answer.status, answer.read()

def read_tensors(file):
    """safetensors: header length, JSON header, float32 data. Gives name -> (shape, values), and the metadata."""
    begin = 8 + struct.unpack_from("<Q", file)[0]
    header = json.loads(file[8:begin])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        values = struct.unpack_from(f"<{(last - first) // 4}f", file, begin + first)
        tensors[name] = (entry["shape"], list(values))
    return tensors, metadata

def write_tensors(tensors, metadata):
    header, data = {"__metadata__": metadata}, b""
    for name, (shape, values) in tensors.items():
        part = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data

rng = random.Random(SEED)
points = [(rng.uniform(-1, 1), rng.uniform(-1, 1)) for _ in range(200)]
samples = [(x, y, float(0.3 < math.hypot(x, y) < 0.8)) for x, y in points]
def forward(w, x, y):
    units = [math.tanh(w["hidden.weight"][1][2 * k] * x + w["hidden.weight"][1][2 * k + 1] * y
                       + w["hidden.bias"][1][k]) for k in range(8)]
    score = w["output.bias"][1][0] + sum(v * u for v, u in zip(w["output.weight"][1], units))
    return units, 1 / (1 + math.exp(-max(-30.0, min(30.0, score))))

def train(w, rate, passes=10):
    for _ in range(passes):
        for x, y, label in rng.sample(samples, len(samples)):
            units, p = forward(w, x, y)
            error = rate * (p - label)
            for k, unit in enumerate(units):
                back = error * w["output.weight"][1][k] * (1 - unit * unit)
                w["output.weight"][1][k] -= error * unit
                w["hidden.weight"][1][2 * k] -= back * x
                w["hidden.weight"][1][2 * k + 1] -= back * y
                w["hidden.bias"][1][k] -= back
            w["output.bias"][1][0] -= error

while True:
    status, answer = call("GET", "next")  # waits for up to 25 seconds
    work = json.loads(answer)
    if status != 200:
        sys.exit(work["error"]["message"])
    if work["order"] is None:
        continue
    status, model = call("GET", "model")
    if status != 200:
        continue  # the round was over already
    tensors, metadata = read_tensors(model)  # task, round and base: they go back as they came
    guesses = [(forward(tensors, x, y)[1], label) for x, y, label in samples]  # of the model that all share
    metadata["accuracy"] = str(sum((p > 0.5) == (label > 0.5) for p, label in guesses) / len(guesses))
    metadata["loss"] = str(sum(-math.log(max(p if label else 1 - p, 1e-9)) for p, label in guesses) / len(guesses))
    train(tensors, 0.1 * work["order"]["learningRateFactor"])
    status, answer = call("POST", "update", write_tensors(tensors, metadata))
    print(f"round {metadata['round']}: accuracy {metadata['accuracy']}, answer {status} {answer.decode()}", flush=True)
