// The Debian package: what is in it, and what it does to a system through its whole life. Packages are built here, into a
// folder that is gone afterwards; a Debian root is prepared by packaging/host-root.sh. What is missing is named and skipped.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { buildMeshd, repository } from "./executables.ts";
import { buildDeb, has } from "./support/deb.ts";
import { cannotMakeRoots, DebianRoot } from "./support/debian-root.ts";
import { bootHosts, cannotBootHosts } from "./support/host.ts";

const OLD = "0.1.0-1";
const NEW = "0.2.0-1";

function reasonToSkip(): string | false {
  if (process.platform !== "linux" || process.arch !== "x64")
    return "the amd64 package is tried on x64 Linux alone";
  for (const tool of ["dpkg-deb", "readelf"]) if (!has(tool)) return `${tool} is not installed`;
  return false;
}
const skip = reasonToSkip();
const noRoot = cannotMakeRoots() ?? false;
const noHosts = cannotBootHosts() ?? false;

const folder = mkdtempSync(join(tmpdir(), "meshd-deb-test-"));
const executable = join(folder, "meshd");
after(() => rmSync(folder, { recursive: true, force: true }));

const field = (deb: string, name: string): string =>
  execFileSync("dpkg-deb", ["-f", deb, name], { encoding: "utf8" }).trim();

describe("the Debian package", { skip, concurrency: false }, () => {
  let deb = "";
  let newer = "";
  before(async () => {
    const executable = await buildMeshd("x64", folder);
    deb = buildDeb({ executable, version: OLD, out: folder });
    newer = buildDeb({ executable, version: NEW, out: folder });
  });

  test("has the same digest when it is built again, under another umask", () => {
    const umask = process.umask(0o077);
    const again = buildDeb({ executable, version: OLD, out: join(folder, "again") });
    process.umask(umask);
    const digest = (file: string) => createHash("sha256").update(readFileSync(file)).digest("hex");
    assert.equal(digest(again), digest(deb));
    rmSync(join(folder, "again"), { recursive: true });
  });

  test("puts every file where Debian looks for it, owned by root", () => {
    const list = execFileSync("dpkg-deb", ["-c", deb], { encoding: "utf8" }).trimEnd().split("\n");
    const entries = new Map(
      list.map((line) => {
        const [mode = "", owner, , , , ...path] = line.split(/\s+/);
        assert.equal(owner, "root/root");
        return [path.join(" ").replace(/^\./, ""), mode];
      }),
    );
    assert.equal(entries.get("/usr/bin/meshd"), "-rwxr-xr-x");
    assert.equal(entries.get("/usr/bin/meshctl -> meshd"), "lrwxrwxrwx");
    for (const file of [
      "/etc/meshd/meshd.yml",
      "/usr/lib/systemd/system/meshd.service",
      "/usr/lib/systemd/system/meshd-wait-online.service",
      "/usr/lib/sysusers.d/meshd.conf",
      "/usr/lib/tmpfiles.d/meshd.conf",
      "/usr/share/man/man1/meshctl.1.gz",
      "/usr/share/man/man5/meshd.yml.5.gz",
      "/usr/share/man/man8/meshd.8.gz",
      "/usr/share/bash-completion/completions/meshctl",
      "/usr/share/zsh/vendor-completions/_meshctl",
      "/usr/share/fish/vendor_completions.d/meshctl.fish",
      "/usr/share/doc/x0tta6bl4/copyright",
      "/usr/share/doc/x0tta6bl4/changelog.Debian.gz",
      "/usr/share/doc/x0tta6bl4/meshd.cdx.json.gz",
    ])
      assert.equal(entries.get(file), "-rw-r--r--", file);
    for (const [path, mode] of entries)
      if (mode.startsWith("d")) assert.equal(mode, "drwxr-xr-x", path);
  });

  test("depends on what the executable asks the dynamic linker for", () => {
    const depends = field(deb, "Depends").split(", ");
    for (const [library, name] of [
      ["libc.so.6", "libc6"],
      ["libstdc++.so.6", "libstdc++6"],
      ["libatomic.so.1", "libatomic1"],
      ["libgcc_s.so.1", "libgcc-s1"],
    ] as const) {
      const needed = execFileSync("readelf", ["-d", executable], { encoding: "utf8" }).includes(
        library,
      );
      assert.equal(
        depends.some((entry) => entry.startsWith(`${name} (>= `)),
        needed,
        name,
      );
    }
    const versions = execFileSync("readelf", ["-V", executable], { encoding: "utf8" });
    const glibc = [...versions.matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor));
    assert.ok(depends.includes(`libc6 (>= 2.${Math.max(...glibc)})`), depends.join());
  });

  test("names the licence of everything in the executable", () => {
    const bill = JSON.parse(readFileSync(`${executable}.cdx.json`, "utf8")) as {
      components: { name: string; type: string }[];
    };
    const copyright = execFileSync(
      "sh",
      [
        "-c",
        `dpkg-deb --fsys-tarfile "$1" | tar -xO ./usr/share/doc/x0tta6bl4/copyright`,
        "sh",
        deb,
      ],
      { encoding: "utf8" },
    );
    assert.ok(bill.components.length > 50);
    for (const { name } of bill.components.filter(({ type }) => type === "library"))
      assert.match(copyright, new RegExp(`^(Files:)? (.*/)?node_modules/${name}/\\*$`, "m"), name);
  });

  test("lintian finds no error and no warning", {
    skip: has("lintian") ? false : "lintian is not installed",
  }, () => {
    const result = spawnSync("lintian", ["--allow-root", "--fail-on", "error,warning", deb], {
      encoding: "utf8",
    });
    assert.deepEqual([result.stdout, result.status], ["", 0], result.stderr);
  });

  test("is not built from an executable for another processor, or from none", () => {
    const build = (...args: readonly string[]) =>
      spawnSync(process.execPath, ["packaging/deb/build-deb.mjs", "--out", folder, ...args], {
        cwd: repository,
        encoding: "utf8",
      });
    const wrong = build("--arch", "arm64", "--executable", executable);
    assert.equal(wrong.status, 1);
    assert.match(wrong.stderr, /is for amd64, not for arm64\. Build it again/);
    const none = build("--executable", join(folder, "absent"));
    assert.equal(none.status, 1);
    assert.match(none.stderr, /There is no .*absent\. Build it with: npm run build:sea/);
    const unknown = build("--arch", "mips");
    assert.equal(unknown.status, 1);
    assert.match(unknown.stderr, /--arch must be amd64 or arm64/);
  });

  describe("in a Debian without a running systemd", { skip: noRoot, concurrency: false }, () => {
    test("survives upgrade, downgrade, remove and purge, and is installed again", (t) => {
      const root = new DebianRoot(t, folder);
      const before = root.files();
      root.ok(`dpkg -i /mnt/x0tta6bl4_${OLD}_amd64.deb`);
      assert.match(root.ok("id meshd"), /uid=\d+\(meshd\) gid=\d+\(meshd\)/);
      assert.equal(root.ok("stat -c '%A %U %G' /var/lib/meshd"), "drwx------ meshd meshd");
      const enabled = "/etc/systemd/system/multi-user.target.wants/meshd.service";
      root.ok(`test -L ${enabled}`);
      root.ok("mount -t proc proc /proc");
      assert.match(root.ok("meshd --version && meshctl --version"), /^(\S+ \S+)\n\1$/);
      assert.equal(root.run("meshctl status").status, 3, "no daemon runs");
      root.ok("meshd --check-config /etc/meshd/meshd.yml");
      root.ok("umount /proc");

      root.ok("echo '# mine' >>/etc/meshd/meshd.yml && echo seeds >/var/lib/meshd/state");
      const keeps = (): void => {
        assert.equal(root.ok("tail -n 1 /etc/meshd/meshd.yml"), "# mine");
        assert.equal(root.ok("cat /var/lib/meshd/state"), "seeds");
      };
      root.ok(`dpkg -i /mnt/x0tta6bl4_${NEW}_amd64.deb`);
      assert.equal(root.installed(), `install ok installed ${NEW}`);
      keeps();
      root.ok("systemctl disable meshd.service");
      assert.match(root.ok(`dpkg -i /mnt/x0tta6bl4_${OLD}_amd64.deb`), /downgrading/);
      assert.equal(root.installed(), `install ok installed ${OLD}`);
      assert.equal(root.run(`test -L ${enabled}`).status, 1, "what was disabled stays disabled");
      keeps();

      root.ok("dpkg -r x0tta6bl4");
      assert.equal(root.run("test -e /usr/bin/meshd").status, 1);
      keeps();
      root.ok("dpkg -P x0tta6bl4");
      assert.deepEqual(root.files(), before, "purge leaves nothing");
      root.ok("dpkg -P x0tta6bl4");

      root.ok(`dpkg -i /mnt/x0tta6bl4_${NEW}_amd64.deb`);
      root.ok(`test -L ${enabled}`);
      assert.notEqual(root.ok("tail -n 1 /etc/meshd/meshd.yml"), "# mine");
    });

    test("makes its user without systemd-sysusers, and again with nothing to make", (t) => {
      const root = new DebianRoot(t, folder);
      root.ok("rm /usr/bin/systemd-sysusers");
      root.ok(`dpkg -i /mnt/x0tta6bl4_${OLD}_amd64.deb`);
      const user = root.ok("getent passwd meshd");
      assert.match(user, /:\/var\/lib\/meshd:\/usr\/sbin\/nologin$/);
      root.ok(`dpkg -i /mnt/x0tta6bl4_${OLD}_amd64.deb`);
      assert.equal(root.ok("getent passwd meshd"), user);
    });

    test("on a disk that is too full it says so, and nothing is changed", (t) => {
      const root = new DebianRoot(t, folder, 60);
      const before = root.files();
      const { status, output } = root.run(`dpkg -i /mnt/x0tta6bl4_${OLD}_amd64.deb`);
      assert.notEqual(status, 0);
      assert.match(output, /\/usr has \d+ KiB free and \d+ KiB are needed; nothing was changed/);
      assert.deepEqual(root.files(), before);
    });

    test("an upgrade for which the disk is too full leaves the version that was there", (t) => {
      const root = new DebianRoot(t, folder, 200);
      root.ok(`dpkg -i /mnt/x0tta6bl4_${OLD}_amd64.deb`);
      const before = root.files();
      const { status, output } = root.run(`dpkg -i /mnt/x0tta6bl4_${NEW}_amd64.deb`);
      assert.notEqual(status, 0);
      assert.match(output, /nothing was changed\. Free some space/);
      assert.equal(root.installed(), `install ok installed ${OLD}`);
      assert.deepEqual(root.files(), before);
      root.ok("mount -t proc proc /proc");
      root.ok("meshd --version");
      root.ok("umount /proc");
    });
  });

  test("apt installs it on a booted host, where it runs until it is removed", {
    skip: noHosts,
  }, async (t) => {
    const [host] = await bootHosts(t, ["deb"], {
      files: { [`/root/${OLD}.deb`]: deb, [`/root/${NEW}.deb`]: newer },
    });
    assert.ok(host !== undefined);
    const pid = () => host.ok("systemctl show -P MainPID meshd");
    const active = async () => (await host.run("systemctl is-active meshd")).output.trim();
    const identity = async () =>
      (JSON.parse(await host.ok("meshctl identity --json")) as { nodeId: string }).nodeId;

    const start = performance.now();
    await host.ok(`apt-get install -y /root/${OLD}.deb`);
    t.diagnostic(`installed and started in ${((performance.now() - start) / 1_000).toFixed(1)} s`);
    assert.equal(await active(), "active");
    assert.equal(await host.ok("systemctl is-enabled meshd"), "enabled");
    await host.ok("meshctl init --trust-domain mesh.test --name first");
    const node = await identity();
    assert.match(node, /^[0-9a-f]{64}$/);
    const first = await pid();

    await host.ok(`apt-get install -y /root/${NEW}.deb`);
    assert.equal(await active(), "active");
    assert.notEqual(await pid(), first, "an upgrade restarts it");
    assert.equal(await identity(), node);

    await host.ok("systemctl stop meshd");
    await host.ok(`dpkg -i /root/${OLD}.deb`);
    assert.equal(await active(), "inactive", "what the operator has stopped stays stopped");
    await host.ok("systemctl start meshd");
    await host.ok("echo 'colour: red' >>/etc/meshd/meshd.yml");
    const upgrade = await host.ok(`dpkg -i /root/${NEW}.deb`);
    assert.match(upgrade, /meshd did not start; its state is untouched.*journalctl -u meshd/);
    assert.match(await host.ok("journalctl -u meshd -o cat"), /colour/);
    await host.ok("sed -i '/colour/d' /etc/meshd/meshd.yml && systemctl reset-failed meshd");

    await host.ok("apt-get remove -y x0tta6bl4");
    assert.equal(await active(), "inactive");
    await host.ok(`dpkg -i /root/${NEW}.deb`);
    assert.equal(await active(), "active", "installed again it starts again");
    assert.equal(await identity(), node, "remove has kept the identity");
    await host.ok("apt-get purge -y x0tta6bl4");
    assert.equal(await active(), "inactive");
    for (const path of ["/var/lib/meshd", "/etc/meshd", "/run/meshd"])
      assert.notEqual((await host.run(`test -e ${path}`)).status, 0, path);
  });
});
