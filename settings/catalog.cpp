// SPDX-License-Identifier: Apache-2.0
#include "settings/catalog.hpp"

#include "allocator/ledger/dynamodb/policy.hpp"
#include "allocator/ledger/redis/policy.hpp"
#include "allocator/policy.hpp"
#include "allocator/shell_policy.hpp"
#include "broker/policy.hpp"
#include "events/pool.hpp"
#include "gateway/front_policy.hpp"
#include "gateway/policy.hpp"
#include "hostagent/engines/docker.hpp"
#include "hostagent/policy.hpp"
#include "instances/policy.hpp"
#include "proxy/edge_policy.hpp"
#include "proxy/policy.hpp"
#include "projector/policy.hpp"
#include "reaper/policy.hpp"
#include "scaler/policy.hpp"
#include "scaler/providers/aws/policy.hpp"
#include "scaler/providers/local/policy.hpp"
#include "settings/rows.hpp"

namespace berth {

namespace {

std::vector<SettingsSection> make_catalog() {
    std::vector<SettingsSection> all;
    {
        auto& section = all.emplace_back(SettingsSection{"pool.default", "A pool: hosts that are alike. Add others as [pool.<name>]; without any there is this one.", {}});
        PoolDefined unsaid;
        unsaid.home_save_every_ms = home_save_usual;
        add<PoolDefined>(section, {
             {"provider", "where its hosts come from"},
             {"slots_per_host", "workspaces on one host; not set, provider local has 4: a laptop"},
             {"buffer_unit", "slots or hosts: what buffer counts"},
             {"buffer", "ready slots (or idle hosts) to keep"},
             {"hosts_max", "never more than that"},
             {"standbys", "prepared environments per host"},
             {"ttl_ms", "lease length when the claim names none"},
             {"ttl_max_ms", "cap of every expiry, counted from now"},
             {"hold_max_ms", "cap of `berth hold`"},
             {"lifetime_max_ms", "then a workspace is stopped even while it is used"},
             {"idle_after_ms", "so long quiet, and it is stopped"},
             {"idle_jobs", "any, busy or none: does what a terminal still runs count as use"},
             {"idle_job_max_ms", "one job counts so long at most"},
             {"home_place", "shared, host or archive: where homes are between two leases (docs/homes.md); not set: shared, unchecked"},
             {"home_repository", "of archives, as restic names it: a folder, sftp:…, s3:…, rest:…; without secrets"},
             {"home_password_file", "on each host; default: <its state>/home-password, or the credential home-password"},
             {"home_environment_file", "on each host: NAME=value lines for restic, as the keys of S3"},
             {"home_save_every_ms", "homes in use are archived so often; 0: at the stop alone"}}, "pool", unsaid);
    }
    {
        auto& section = all.emplace_back(SettingsSection{"gateway", "The HTTP API and the dashboard.", {}});
        add<gateway::Policy>(section, {
             {"port", "0: any free one"},
             {"public_url", "how others reach it, by itself or through a front proxy: its pages may ask too"},
             {"tls_certificate", "PEM chain of that name; empty: plain HTTP"},
             {"tls_key", "both are read again when they change"},
             {"metrics_open", "/metrics without a token: no names or ids stand in it"},
             {"claim_wait", "when a claim names none"},
             {"request_timeout", "of what the bus is asked, beside claims"},
             {"catch_up", "how long an answer waits for the facts it caused"},
             {"streams_max", "event streams among them"},
             {"page_default", "items of a listing"},
             {"read_timeout", "of one whole request, from its first byte"},
             {"idle_timeout", "between two requests of a connection"},
             {"stream_heartbeat", "a comment that keeps proxies from cutting a quiet stream"},
             {"stream_queue_bytes_max", "then the stream is cut, and told so"},
             {"replay_page", "facts asked for at once while a stream catches up"},
             {"host_clock_off_max", "of a machine that enrols; the broker allows hosts no more (clock_skew_max)"},
             {"reach_every", "each enrolled host's proxy is tried so often, as a browser would"},
             {"inside_every", "the other processes of this machine are asked what they say of themselves"},
             {"session_unused_max", "a browser is signed out when it was not used for so long …"},
             {"session_length_max", "… and after so long in any case"},
             {"sessions_per_user_max", "of more the one that ends first gives way"},
             {"invite_ttl", "of a sign-in link that names no other"},
             {"login_max", "from `berth login` to the word of a browser"},
             {"login_ttl", "of the token that it gets"}});
    }
    {
        auto& section = all.emplace_back(SettingsSection{"oidc", "Signing in by OpenID Connect. The issuer is told <public_url>/sign-in/oidc/done as the way back.", {}});
        add<gateway::OidcPolicy>(section, {
             {"issuer", "\"https://id.example.org\"; empty: sign-in links and tokens alone"},
             {"client_secret_file", "empty: a public client, by PKCE alone"},
             {"name", "on the button; empty: the issuer's host"},
             {"user_claim", "names the user here; an address has to be verified"},
             {"user_groups", "one of them is needed to come in; empty: whoever the issuer signs in"},
             {"operator_groups", "one of them makes an operator, at each sign-in"},
             {"ca_file", "PEM of a private CA that vouches for the issuer"},
             {"timeout", "of each question to the issuer"},
             {"clock_off_max", "between its clock and ours"},
             {"attempt_max", "from the button to the way back"}});
    }
    {
        auto& section = all.emplace_back(SettingsSection{"front", "A front proxy before the gateway, as deploy/front has them.", {}});
        add<gateway::FrontPolicy>(section, {
             {"trusted_proxies", "\"127.0.0.1\", \"10.0.0.0/8\": whose X-Forwarded-For says where a client is"}});
    }
    {
        auto& section = all.emplace_back(SettingsSection{"compat", "For clients that were there before tokens were.", {}});
        add<gateway::CompatPolicy>(section, {
             {"trusted_networks", "\"10.0.0.0/8=ci\": from there, without a token, as user ci"},
             {"claim_by_get", "GET /<project>"},
             {"machine_port", "where a machine that registered over HTTP serves its user"},
             {"machines_reused", "given to the next user as it was left; else only once it registered again"}});
    }
    {
        auto& section = all.emplace_back(SettingsSection{"reaper", "What is over: idle, expired, dead, orphaned.", {}});
        add<reaper::Policy>(section, {
             {"heartbeat", "what hosts were told; default: [allocator] heartbeat"},
             {"activity", "how often a host reads its signals"},
             {"periods_max", "more of them in silence: a host is unknown, a reading stale"},
             {"beacon_silence", "no ledger.head for so long: it is we who are cut off"},
             {"objection", "from an intent to its stop_at"},
             {"intent_grace", "after stop_at, until the intent is taken for lost; doubles …"},
             {"intent_grace_max", "… up to this"},
             {"retry", "after a refused or unanswered request; doubles …"},
             {"retry_max", "… up to this"},
             {"settle", "from a good answer until its fact must have come"},
             {"asks_open_max", "unanswered requests at once"},
             {"gone_between", "between two complete readings without a host"},
             {"orphan_grace", "no younger instance is touched (I17)"},
             {"orphan_share_max", "of the fleet …"},
             {"orphan_window", "… in so long; more opens the breaker"},
             {"signals_max", "of one workspace in one reading"}});
    }
    {
        auto& section = all.emplace_back(SettingsSection{"scaler", "How many hosts there should be.", {}});
        add<scaler::Policy>(section, {
             {"list_every", "a provider's listing, and provider.snapshot"},
             {"cooldown", "between scale calls of a pool; a waiting claim skips it"},
             {"launches_per_hour_max", "of all pools: the spend cap"},
             {"shrink_after", "a surplus is given back only after so long"},
             {"beacon_silence", "no ledger.head for so long: no new victim is named"},
             {"listings_max", "as many list_every without a listing: neither"},
             {"wipe_promise", "a slot that is being wiped counts as ready for so long"},
             {"grant_promise", "a granted launch counts for so long without its fact"},
             {"host_failures_max", "as placement: a host that failed so often …"},
             {"host_failures_pause", "… is not ready for so long"},
             {"registration_grace", "past its deadline, for a host that runs but is silent"},
             {"call_tries_max", "of one launch, while the provider throttles"},
             {"backoff", "first pause after a failed launch; doubles …"},
             {"backoff_slow", "… from here for quota, permission and configuration …"},
             {"backoff_max", "… up to this"},
             {"retry", "after a refused or unanswered request; doubles …"},
             {"retry_max", "… up to this"},
             {"phase_max", "a victim that is not sealed by then is spared"},
             {"call_max", "of a provider's call; then the process ends, to be started anew"},
             {"calls_open_max", "provider calls waiting for the worker thread"},
             {"victims_max", "hosts being given back at once, over all pools"}});
    }
    {
        auto& section = all.emplace_back(SettingsSection{"provider.local", "The hosts of this machine, as the scaler starts them.", {}});
        add<scaler::LocalPolicy>(section, {
             {"agent_program", "empty: berth-hostagent beside this program"},
             {"proxy_port_first", "one per host, on 127.0.0.1; below the kernel's own range"},
             {"hosts_max", "over all pools"},
             {"agent_stop", "from SIGTERM to SIGKILL"},
             {"killed_within", "after SIGKILL"},
             {"environments_stop", "of `--end-environments`"},
             {"revive_pause", "before an agent that died is started again; doubles …"},
             {"revive_pause_max", "… up to this, until one lived so long"},
             {"ended_memory", "how long an ended host is listed as terminated"},
             {"log_bytes_max", "of an agent's log, at its start; then it becomes .log.1"}});
    }
    {
        auto& section = all.emplace_back(SettingsSection{"provider.aws", "Amazon, for the pools of providers aws-asg and aws-ec2.", {}});
        add<scaler::AwsPolicy>(section, {
             {"profile", "of ~/.aws; empty: the usual chain, from the environment to the instance's role"},
             {"region", "empty: AWS_REGION, the profile's, or this instance's own"},
             {"cluster", "the mark of what is ours: the tag berth:cluster; aws-ec2 wants one of this berth's own"},
             {"call_deadline", "of one try of a call; four tries at most"},
             {"activities_window", "failed activities of a group that are older are not told"},
             {"audit_every", "of what a group's listing does not show: its policies, schedules and hooks"},
             {"heartbeat_every", "of a termination hook, while a host drains"},
             {"foreign_memory", "how long a change of the desired number by somebody else is told"},
             {"prices", "\"eu-central-1/t3.large=0.0912\", or of all regions \"t3.large=0.0912\": before the list that is shipped"},
             {"spend_per_hour_max", "US dollars, of all machines of aws-ec2; more is not launched; 0: no bound"},
             {"launch_slack", "an instance that is so much older than a launch may still be of it: clocks differ"}});
    }
    {
        auto& section = all.emplace_back(SettingsSection{"pool.default.template", "What the pool's machines are made of; only its provider reads it. Of aws-asg group and region, of aws-ec2 the rest.", {}});
        add<scaler::GroupTemplate>(section, {
             {"group", "the Auto Scaling group's name; empty: ASG_NAME of the environment"},
             {"region", "empty: [provider.aws] region"}});
        add<scaler::MachineTemplate>(section, {
             {"instance_types", "of several the next is taken where the one before has no capacity"},
             {"zones", "in this order; empty: Amazon's choice, or the subnet's"},
             {"image", "an id (ami-…), or owner/name with '*': the newest"},
             {"subnet", "empty: the default one"},
             {"security_groups", "ids or names; none: the VPC's default one"},
             {"public_key", "a file; empty: nobody can sign in by ssh"},
             {"role", "an instance profile's name"},
             {"user_data", "a file: what a machine runs at its first boot (deploy/aws/user-data.sh)"},
             {"spot", "on demand when there is none"},
             {"spot_price_max", "US dollars per hour; empty: up to the on-demand price"},
             {"encrypt_volume", "the root volume"},
             {"encryption_key", "of KMS; empty: the account's for EBS"},
             {"volume_gib", "0: the image's"}});
    }
    {
        auto& section = all.emplace_back(SettingsSection{"instances", "Instances with a time to live: what `berth create` makes, and `berth service` ends.", {}});
        add<instances::Policy>(section, {
             {"instance_type", "when --instance-type says nothing"},
             {"duration", "when --duration says nothing"},
             {"availability_zone", "when --availability-zone says nothing; its region is looked at"},
             {"image", "an id (ami-…), or owner/name with '*': the newest; this is Canonical's"},
             {"ssh_user", "that this image knows"},
             {"ssh_from", "who may reach port 22 of the security group that berth makes"},
             {"profile", "of ~/.aws; empty: the usual chain, from the environment to the instance's role"},
             {"cluster", "the mark of what is ours: the tag berth:cluster"},
             {"regions", "that are looked at too"},
             {"prices", "\"eu-central-1/t3.large=0.0912\", or of all regions \"t3.large=0.0912\": before the list that is shipped"},
             {"spend_per_hour_max", "US dollars, of all that runs; more is not made or started; 0: no bound"},
             {"duration_max", "from now, of create and extend"},
             {"keep_stopped", "then a stopped one is terminated with its disk"},
             {"boot_max", "from the launch until it runs and has its address"},
             {"look_every", "while it boots"},
             {"data_every", "`berth service`: which have to be stopped or terminated …"},
             {"states_every", "… and what has changed behind its back"},
             {"call_deadline", "of one try of a call; four tries at most"}});
    }
    {
        auto& section = all.emplace_back(SettingsSection{"allocator", "Who gets which slot.", {}});
        add<allocator::Policy>(section, {
             {"claim_wait", "a claim's deadline when it names none (I7)"},
             {"start_deadline", "from lease to a healthy environment"},
             {"bind_timeout", "of one host.bind request"},
             {"command_timeout", "of the other host commands"},
             {"command_retry", "pause after a command that failed"},
             {"tries_max", "starts that may fail for one claim"},
             {"host_failures_max", "then placement passes the host over …"},
             {"host_failures_pause", "… for so long"},
             {"heartbeat", "told to the hosts; 2.2 of them make a host unknown"},
             {"progress_every", "how often a waiting claim is told its place"},
             {"recovery_settle", "after `recover`: time for hosts that the old copy never knew"},
             {"restore_deadline", "from lease to a healthy environment, as long as its home is on its way"},
             {"notice_grace", "from the word that a machine will end, when nobody says when, to the stop of its workspaces"},
             {"notice_margin", "and before that end, when somebody does: time to stop and to save"}});
    }
    {
        auto& section = all.emplace_back(SettingsSection{"ledger", "How the allocator keeps its ledger.", {}});
        add<allocator::ShellPolicy>(section, {
             {"store", "where: sqlite:FILE (below the state folder), redis://HOST:PORT/DATABASE, redis+unix:///SOCKET, dynamodb://TABLE"},
             {"tick", "deadlines are met to within this"},
             {"beacon", "`ledger.head`"},
             {"tidy_every", "checkpoint, index, free space"},
             {"beat", "who serves says so in a store that others can reach"},
             {"beat_silence", "then a standby takes over"},
             {"snapshot_facts", "facts since the last snapshot that call for a new one"},
             {"ballast_mib", "freed when the disk is full"}});
    }
    {
        auto& section = all.emplace_back(SettingsSection{"ledger.redis", "The ledger on a Redis server (docs/stores.md); which one stands in [ledger] store.", {}});
        add<allocator::RedisPolicy>(section, {
             {"user", "empty: the default user"},
             {"password_file", "its first line; empty: no password"},
             {"wait_replicas", "an append waits until so many replicas have it (WAIT)"},
             {"connect", "of one try"},
             {"answer", "then the connection is given up, and what stands at the position is read"},
             {"give_up", "then the allocator ends, to be started anew"}});
    }
    {
        auto& section = all.emplace_back(SettingsSection{"ledger.dynamodb", "The ledger in a DynamoDB table (docs/stores.md); which one stands in [ledger] store.", {}});
        add<allocator::DynamoPolicy>(section, {
             {"profile", "of ~/.aws; empty: the usual chain of credentials"},
             {"region", "empty: AWS_REGION, the profile's, or this instance's own"},
             {"answer", "of one try; then it is tried again, and what stands at the position is read"},
             {"give_up", "then the allocator ends, to be started anew; so long may it be throttled"}});
    }
    {
        auto& section = all.emplace_back(SettingsSection{"projector", "berth-projector: what the ledger says, where others read it (docs/projector.md).", {}});
        add<projector::Policy>(section, {
             {"redis", "redis://HOST:PORT/DATABASE?prefix=NAME, or redis+unix:///SOCKET; empty: no picture there"},
             {"redis_user", "empty: the default user"},
             {"redis_password_file", "its first line; empty: no password"},
             {"dynamodb", "a table, as worker_pool; empty: no picture there"},
             {"dynamodb_region", "empty: AWS_REGION, the profile's, or this instance's own"},
             {"dynamodb_profile", "of ~/.aws; empty: the usual chain of credentials"},
             {"dynamodb_changes_per_s", "items written or removed; above the number of hosts divided by heartbeat_every"},
             {"write_every", "what changed in between is written together"},
             {"heartbeat_every", "of one host, at most: its load and last heartbeat"},
             {"lifetime", "of a key in Redis; renewed at a third of it"},
             {"look_every", "the keys that are there are looked at, so that what was taken away comes back"},
             {"retry", "after a failed write; doubles up to …"},
             {"retry_max", "… this"},
             {"behind", "changes that wait for longer are told"},
             {"changes_max", "entries of one write"}});
    }
    {
        auto& section = all.emplace_back(SettingsSection{"hostagent", "What runs on a host.", {}});
        add<hostagent::Policy>(section, {
             {"heartbeat", "until the first orders name another"},
             {"confirm_every", "how old a route's confirmation gets before it is renewed"},
             {"inventory_every", "the engine is asked what truly runs"},
             {"stop_grace", "of a user's programs, between being asked to end and being ended"},
             {"remove_tries_max", "then the slot is broken …"},
             {"broken_retry", "… and is tried again so often"},
             {"restart_tries_max", "new containers for one lease whose container ended"},
             {"standby_retry", "after a standby failed; doubles up to …"},
             {"trouble_retry_max", "while nothing at all can be started"},
             {"trouble_after", "starts failed in a row: then the allocator is told to place nothing here"},
             {"standbys_at_once", "prepared at the same time"},
             {"port_first", "on 127.0.0.1; below the kernel's own range"},
             {"port_tries_max", "ports found taken in a row"},
             {"erases_max", "under way at once"},
             {"outage_limit", "after so long without orders, what expired is ended; 0: never"},
             {"text_bytes_max", "of an engine's words in a report"},
             {"home_retry", "after a home could not be saved or brought back; doubles up to …"},
             {"home_restore_tries_max", "then the start has failed; a save is never given up"},
             {"home_check_every", "the repository is asked whether it is well"}});
        add<hostagent::ShellPolicy>(section, {
             {"engine", "or docker"},
             {"workers", "engine calls at the same time; a stop may wait for its grace"},
             {"register_retry", "doubles up to …"},
             {"cpu_floor", "of one core, on average …"},
             {"io_floor", "bytes a second of disk …"},
             {"net_floor", "bytes a second of network, both ways …"},
             {"use_window", "… over so long, or between two readings further apart"},
             {"proxy_starts_max", "in ten minutes"},
             {"proxy_program", "empty: berth-proxy beside this program; \"none\": no proxy"},
             {"scheme", "of links, as browsers use them"},
             {"public_domain", "behind a front proxy: the domain in links; empty: apps_domain"},
             {"public_port", "behind a front proxy: the port in links; 0: the proxy's own"},
             {"plain_port_first", "for who has no DNS: links are the host's address and a port of the slot's own; 0: names"},
             {"plain_port_count", "such ports, at least as many as slots"},
             {"process_command", "of the process engine; empty: berth-workspace beside this program"},
             {"home_workers", "homes that are saved or brought back at the same time"},
             {"home_deadline", "of one such try"},
             {"home_progress_every", "how far it is, as claims and stops show it"},
             {"restic_program", "empty: restic on the PATH"},
             {"end_notice_file", "when it appears, this machine will end; empty: <state>/end_notice"},
             {"end_notice_from", "whose notices count too: \"aws\" asks the instance's metadata service; empty: nobody's"}});
    }
    {
        auto& section = all.emplace_back(SettingsSection{"docker", "Workspaces in containers. `berth up` sets socket and cluster by what it finds.", {}});
        add<DockerPolicy>(section, {
             {"image_tar", "imported when the engine has no such image"},
             {"tmp_bytes", "of /tmp, kept in memory and counted as such; 0: on the engine's disk"},
             {"closed", "What no workspace reaches, beside the machine it runs on: the metadata services of clouds."}});
    }
    {
        auto& section = all.emplace_back(SettingsSection{"proxy", "From the browser to the workspace.", {}});
        add<proxy::Policy>(section, {
             {"apps_domain", "a workspace answers at <workspace>.<apps_domain>"},
             {"scheme", "as the browser sees it; empty: https with a certificate, else http"},
             {"public_domain", "behind a front proxy, in links and origins; empty: apps_domain"},
             {"public_port", "the same; 0: the port it serves at"},
             {"plain_port_first", "each slot's workspace has a port of its own from here on; 0: names alone"},
             {"trusted_networks", "\"10.0.0.0/8\": whose X-Forwarded-Host and -Proto are believed"},
             {"listen_address", "empty: as the host says, 127.0.0.1 when it has no other address"},
             {"port_moves", "a port that is taken is left for another, which is published; false: it is awaited"},
             {"tls_certificate", "PEM chain; empty: plain HTTP"},
             {"tls_key", "both are read again when they change"},
             {"proxy_protocol", "every connection from trusted_networks begins with a PROXY header"},
             {"gateway_url", "leads back in who comes late; empty: [gateway] public_url"},
             {"session_lifetime", "without use, at most 12 h; while it is used, up to the end of the lease"},
             {"grant_age_max", "how long a lease stands without word of an allocator (I25)"},
             {"recheck", "live connections are judged anew this often (I25: cut within 5 s)"},
             {"unreadable_max", "for so long a live connection outlives an unreadable memory"},
             {"head_timeout", "from a request's first byte to the end of its head"},
             {"idle_timeout", "between requests"},
             {"body_stall_max", "a browser that neither sends nor takes"},
             {"answer_timeout", "a container that does not begin to answer"},
             {"silence_max", "a container's answer that goes on without a byte (SSE)"},
             {"half_open_max", "a tunnel of which one side has ended"},
             {"linger", "after a refusal, for what the browser still sends"},
             {"drain_grace", "from SIGTERM to the end of all that is under way"},
             {"port_patience", "while the port of an earlier life is still taken"},
             {"head_bytes_max", "of a request"},
             {"cookie_bytes_max", "of them, cookies that go on: a Node server takes 16 KB in all"}});
    }
    {
        auto& section = all.emplace_back(SettingsSection{"edge", "The front door: `berth-proxy --edge`, one name and certificate for the workspaces of all hosts.", {}});
        add<proxy::EdgePolicy>(section, {
             {"apps_domain", "a workspace answers at <workspace>.<apps_domain>"},
             {"tls_certificate", "PEM chain of that wildcard name; empty: plain HTTP"},
             {"tls_key", "both are read again when they change"},
             {"proxy_protocol", "hosts are told where the browser is; they need proxy.proxy_protocol and this address in proxy.trusted_networks"},
             {"connect_timeout", "to a host's proxy"},
             {"head_timeout", "from a browser's first byte to the end of its first head"},
             {"silence_max", "of both sides"},
             {"recheck", "a workspace that moved to another host is noticed so often"},
             {"drain_grace", "from SIGTERM to the end of all that is under way"}});
    }
    {
        auto& section = all.emplace_back(SettingsSection{"broker", "Where the bus listens.", {}});
        add<broker::Policy>(section, {
             {"events_in", "A port of * is chosen once, written to <state>/bus.toml and kept for every later start."},
             {"requests_allocator", "admits the allocator alone: larger messages"},
             {"requests_hosts", "for hosts on other machines, \"tcp://0.0.0.0:9094\"; empty: none"},
             {"advertise_host", "stands in bus.toml instead of what was bound"},
             {"deadline_default", "of a request that names none"},
             {"deadline_max", "a later one is brought forward to it"},
             {"clock_skew_max", "so far behind ours a host's clock may be"},
             {"worker_silence_max", "then a worker counts as dead; a host, of which there are many, after 15 s at least"},
             {"pending_max", "requests without a reply yet"}});
    }
    return all;
}

constexpr std::size_t meaning_column = 43;

constexpr std::string_view head = R"(# SPDX-License-Identifier: Apache-2.0
# Everything that can be set, each with its default. Made by `berth config document` from the source.
#
# Copy what you change to /etc/berth/berth.toml or ~/.config/berth/berth.toml, or name a file with
# `berth up --config FILE`. Flags win over BERTH_<SECTION>_<KEY> in the environment, which wins over
# the file. A key or section that does not exist is an error that names it. Lengths of time are
# written as "250ms", "15s", "2m", "1h30m".

)";

}  // namespace

const std::vector<SettingsSection>& settings_catalog() {
    static const auto all = make_catalog();
    return all;
}

const SettingsSection* find_settings(std::string_view name) {
    if (name.starts_with("pool.")) name = name.ends_with(".template") ? "pool.default.template" : "pool.default";
    for (const auto& section : settings_catalog()) {
        if (section.name == name) return &section;
    }
    return nullptr;
}

std::string settings_document() {
    std::string text{head};
    for (const auto& section : settings_catalog()) {
        text += fmt::format("# ---- {}\n[{}]\n", section.about, section.name);
        for (const auto& row : section.rows) {
            const auto setting = fmt::format("# {} = {}", row.key, row.by_default);
            text += row.meaning.empty() ? setting + "\n" : fmt::format("{:<{}} # {}\n", setting, meaning_column, row.meaning);
        }
        text += "\n";
    }
    text.pop_back();
    return text;
}

Result<void> check_settings(const Config& config, const std::vector<std::string>& sections) {
    for (const auto& name : sections) {
        const auto* section = find_settings(name);
        if (section == nullptr) continue;
        std::vector<std::string_view> keys;
        for (const auto& row : section->rows) keys.push_back(row.key);
        TRY(config.refuse_unknown(name, keys));
        for (const auto& row : section->rows) {
            if (const auto setting = config.find(name, row.key)) TRY(row.check(*setting));
        }
    }
    return {};
}

}  // namespace berth
