using System.Collections.Generic;
using System.Runtime.InteropServices;
using ModelZoo.Contracts;

[assembly: ModelPlugin(typeof(NeedsNativeLibrary.Plugin))]

namespace NeedsNativeLibrary;

/// <summary>Calls a native library of its own. The tests give it .NET's under another name, so that no compiler is needed.</summary>
public sealed class Plugin : IModelPlugin
{
    [DllImport("zoo_native_part", EntryPoint = "SystemNative_GetPid")]
    private static extern int zoo_answer();

    public IReadOnlyList<ModelArchitecture> Architectures { get; } =
        [new(new ModelCard { Id = "test/native", Paper = "Answer " + zoo_answer(), Authors = [], Inputs = [], Outputs = [] }, (_, _) => default)];
}
