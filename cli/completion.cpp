// SPDX-License-Identifier: Apache-2.0
// berth completion: a script for bash, zsh or fish, made from the table of commands. Names of
// workspaces are asked from `berth list -o name` when they are needed.
#include "cli/completion.hpp"

#include <algorithm>

namespace berth::cli {

namespace {

constexpr const char* about_a_workspace[] = {"open", "release", "stop", "start", "destroy", "extend", "hold", "wait", "why"};

std::vector<CommandWords> words_of(const CLI::App& app) {
    std::vector<CommandWords> commands;
    for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        CommandWords words{command->get_name(), command->get_description(), {}, false};
        std::vector<const CLI::App*> sources{command, &app};
        for (const auto* verb : command->get_subcommands([](const CLI::App*) { return true; })) {
            words.verbs.push_back(verb->get_name());
            sources.push_back(verb);
        }
        for (const auto* source : sources) {
            for (const auto* option : source->get_options([](const CLI::Option* each) { return each->nonpositional(); })) {
                for (const auto& name : option->get_lnames()) words.flags.push_back("--" + name);
            }
        }
        std::sort(words.flags.begin(), words.flags.end());
        words.flags.erase(std::unique(words.flags.begin(), words.flags.end()), words.flags.end());
        words.takes_workspace = std::any_of(std::begin(about_a_workspace), std::end(about_a_workspace),
                                            [&](const char* name) { return words.name == name; });
        commands.push_back(std::move(words));
    }
    return commands;
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
    return text;
}

std::string names(const std::vector<CommandWords>& commands) {
    std::vector<std::string> all;
    for (const auto& command : commands) all.push_back(command.name);
    return joined(all);
}

std::string single_quoted(std::string text) {
    for (std::size_t at = 0; (at = text.find('\'', at)) != std::string::npos; at += 4) text.replace(at, 1, "'\\''");
    return "'" + text + "'";
}

}  // namespace

std::string bash_completion(const std::vector<CommandWords>& commands) {
    std::string out = "# bash completion of berth; use it with: source <(berth completion bash)\n"
                      "_berth() {\n"
                      "    local word=${COMP_WORDS[COMP_CWORD]} command= i\n"
                      "    local -a shared\n"
                      "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                      "        case ${COMP_WORDS[i]} in\n"
                      "            --state | --url | --token-file | --color) shared+=(\"${COMP_WORDS[i]}\" \"${COMP_WORDS[++i]}\") ;;\n"
                      "            -*) ;;\n"
                      "            *) [[ $command ]] || command=${COMP_WORDS[i]} ;;\n"
                      "        esac\n"
                      "    done\n"
                      "    case ${COMP_WORDS[COMP_CWORD-1]} in --state | --token-file | --config | --image-tar)\n"
                      "        COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n"
                      "    esac\n"
                      "    local flags= live= verbs=\n"
                      "    case $command in\n";
    for (const auto& command : commands) {
        out += "        " + command.name + ") flags='" + joined(command.flags) + "'" +
               (command.takes_workspace ? "; live=yes" : "") +
               (command.verbs.empty() ? "" : "; verbs='" + joined(command.verbs) + "'") + " ;;\n";
    }
    out += "        '') COMPREPLY=($(compgen -W '" + names(commands) + "' -- \"$word\")); return ;;\n"
           "    esac\n"
           "    if [[ $word == -* ]]; then\n"
           "        COMPREPLY=($(compgen -W \"$flags\" -- \"$word\"))\n"
           "    elif [[ $verbs ]]; then\n"
           "        COMPREPLY=($(compgen -W \"$verbs\" -- \"$word\"))\n"
           "    elif [[ $live ]]; then\n"
           "        COMPREPLY=($(compgen -W \"$(\"${COMP_WORDS[0]}\" \"${shared[@]}\" list -o name 2>/dev/null)\" -- \"$word\"))\n"
           "    fi\n"
           "}\n"
           "complete -F _berth berth\n";
    return out;
}

std::string zsh_completion(const std::vector<CommandWords>& commands) {
    std::string out = "#compdef berth\n"
                      "# zsh completion of berth; use it with: source <(berth completion zsh)\n"
                      "_berth() {\n"
                      "    local -a commands flags\n"
                      "    commands=(\n";
    for (const auto& command : commands) {
        auto meaning = command.meaning;
        std::replace(meaning.begin(), meaning.end(), ':', ',');
        out += "        " + single_quoted(command.name + ":" + meaning) + "\n";
    }
    out += "    )\n"
           "    if (( CURRENT == 2 )); then _describe command commands; return; fi\n"
           "    case $words[2] in\n";
    for (const auto& command : commands) {
        out += "        " + command.name + ") flags=(" + joined(command.flags) + ")" +
               (command.takes_workspace ? "; [[ $PREFIX == -* ]] || compadd -- ${(f)\"$(berth list -o name 2>/dev/null)\"}" : "") +
               (command.verbs.empty() ? "" : "; [[ $PREFIX == -* ]] || compadd -- " + joined(command.verbs)) +
               " ;;\n";
    }
    out += "    esac\n"
           "    [[ $PREFIX == -* ]] && compadd -- $flags\n"
           "}\n"
           "compdef _berth berth\n";
    return out;
}

std::string fish_completion(const std::vector<CommandWords>& commands) {
    std::string out = "# fish completion of berth; use it with: berth completion fish | source\n"
                      "complete -c berth -f\n";
    for (const auto& command : commands) {
        out += "complete -c berth -n __fish_use_subcommand -a " + command.name + " -d " + single_quoted(command.meaning) + "\n";
        for (const auto& flag : command.flags) {
            out += "complete -c berth -n '__fish_seen_subcommand_from " + command.name + "' -l " + flag.substr(2) + "\n";
        }
        for (const auto& verb : command.verbs) {
            out += "complete -c berth -n '__fish_seen_subcommand_from " + command.name + "' -a " + verb + "\n";
        }
        if (command.takes_workspace) {
            out += "complete -c berth -n '__fish_seen_subcommand_from " + command.name +
                   "' -a '(berth list -o name 2>/dev/null)'\n";
        }
    }
    return out;
}

void add_completion(Commands& commands) {
    auto shell = std::make_shared<std::string>();
    auto* command = commands.add("completion", "Help", "Print a completion script for a shell", "source <(berth completion bash)");
    command->add_option("shell", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
    commands.set_action(command, [&commands, shell]() -> Result<Exit> {
        const auto words = words_of(commands.app());
        print(*shell == "bash" ? bash_completion(words) : *shell == "zsh" ? zsh_completion(words) : fish_completion(words));
        return Exit::ok;
    });
}

}  // namespace berth::cli
