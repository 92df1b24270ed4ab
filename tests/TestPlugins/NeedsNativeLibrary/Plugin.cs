using System.Collections.Generic;
using System.Runtime.InteropServices;
using ModelZoo.Contracts;

[assembly: ModelPlugin(typeof(NeedsNativeLibrary.Plugin))]

namespace NeedsNativeLibrary;

public sealed class Plugin : IModelPlugin
{
    [DllImport("zoo_native_part")]
    private static extern int zoo_answer();

    public IReadOnlyList<ModelArchitecture> Architectures { get; } =
        [new(new ModelCard { Id = "test/native", Paper = "Answer " + zoo_answer(), Authors = [], Inputs = [], Outputs = [] }, (_, _) => default)];
}
