using System.Collections.Generic;
using ModelZoo.Contracts;

[assembly: ModelPlugin(typeof(BadTable.Plugin))]

namespace BadTable;

public sealed class Plugin : IModelPlugin
{
    public IReadOnlyList<ModelArchitecture> Architectures { get; } =
        [new(new ModelCard { Id = "No Good Id", Paper = "", Authors = [], Inputs = [], Outputs = [] }, (_, _) => default)];
}
